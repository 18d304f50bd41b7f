import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createRedis, type Redis } from '../../redis/client.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../../testing/test-redis.ts';
import { sha256Of } from './manifest.ts';
import { publishedKey, publishedPath, publishManifest, readPublished } from './published-manifest.ts';
import { openTrustedDocuments, type TrustedDocumentsOptions } from './trusted-documents.ts';

const manifestOf = (...names: string[]) =>
  JSON.stringify(Object.fromEntries(names.map((name) => [name, `{ ${name}: __typename } # Größe`])));

/** Of a machine that has other things to do. */
const patience = { timeout: 10_000 };

describe.skipIf(!hasRedisServer())('the published manifest', () => {
  let server: TestRedis;
  let redis: Redis;
  const open: (() => unknown)[] = [];
  const reloads: number[] = [];
  const problems: string[] = [];

  beforeEach(async () => {
    server = await startTestRedis();
    open.push(server.stop);
    redis = await connect();
    reloads.length = 0;
    problems.length = 0;
  });

  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  const connect = async () => {
    const made = createRedis({ url: server.url, log: pino({ level: 'silent' }), registry: new Registry() });
    open.push(made.close);
    await vi.waitFor(() => expect(made.isUp).toBe(true), patience);
    return made;
  };
  const follow = async (options: Partial<TrustedDocumentsOptions> = {}) => {
    const documents = await openTrustedDocuments({
      path: publishedPath,
      redis,
      isRequired: true,
      pollMs: 10,
      onReload: (size) => reloads.push(size),
      onProblem: (error) => problems.push(`${error.message}: ${(error.cause as Error).message}`),
      ...options,
    });
    open.push(documents.close);
    return documents;
  };
  const publish = async (text: string) => {
    const replaces = (await readPublished(redis))?.sha256 ?? null;
    return publishManifest(redis, { text, documents: Object.keys(JSON.parse(text)).length, replaces });
  };

  test('is served by every process that follows it, soon after it was published', async () => {
    await publish(manifestOf('a'));
    const one = await follow();
    const other = await follow({ redis: await connect() });
    expect([one.find('a')?.body, one.size, other.size]).toEqual(['{ a: __typename } # Größe', 1, 1]);
    await publish(manifestOf('a', 'b'));
    await vi.waitFor(() => expect([one.find('b')?.id, other.find('b')?.id]).toEqual(['b', 'b']), patience);
    expect(reloads).toEqual([2, 2]);
    expect(await redis.run((client) => client.hGetAll(publishedKey))).toMatchObject({
      sha256: sha256Of(manifestOf('a', 'b')),
      documents: '2',
      publishedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
    expect(problems).toEqual([]);
  });

  test('is not lost when Redis is away, empty or broken: what was known stays, and is told of once', async () => {
    await publish(manifestOf('a'));
    const documents = await follow();
    await server.kill();
    await vi.waitFor(() => expect(redis.isUp).toBe(false), patience);
    expect(documents.find('a')?.id).toBe('a');
    await server.start();
    await vi.waitFor(() => expect(problems).toHaveLength(1), patience);
    expect(problems[0]).toBe(`the trusted documents of ${publishedPath} cannot be read: it is not there any more`);
    for (const [manifest, sha256, message] of [
      [manifestOf('b'), 'other', 'expected a manifest with the SHA-256 other, got another'],
      ['[]', sha256Of('[]'), 'expected an object of ids and documents, got a list'],
    ] as const) {
      problems.length = 0;
      const packed = gzipSync(manifest).toString('base64');
      await redis.run((client) => client.hSet(publishedKey, { sha256, manifest: packed }));
      await vi.waitFor(() => expect(problems).toHaveLength(1), patience);
      expect(problems[0]).toContain(message);
    }
    await redis.run((client) => client.hSet(publishedKey, { sha256: 'x', manifest: 'no gzip' }));
    await vi.waitFor(() => expect(problems.at(-1)).toContain('expected a manifest in gzip'), patience);
    expect([documents.find('a')?.id, documents.size, reloads]).toEqual(['a', 1, []]);
    await redis.run((client) => client.del(publishedKey));
    await publish(manifestOf('c'));
    await vi.waitFor(() => expect(documents.find('c')?.id).toBe('c'), patience);
  });

  test('is taken for the one that its publisher saw only', async () => {
    expect(await publish(manifestOf('a'))).toBe(true);
    const replaces = sha256Of(manifestOf('a'));
    expect(await publishManifest(redis, { text: manifestOf('b'), documents: 1, replaces })).toBe(true);
    expect(await publishManifest(redis, { text: manifestOf('c'), documents: 1, replaces })).toBe(false);
    expect(await publishManifest(redis, { text: manifestOf('c'), documents: 1, replaces: null })).toBe(false);
    expect((await readPublished(redis))?.text).toBe(manifestOf('b'));
  });

  test('ends the start with one line where it is needed, and is waited for where it is not', async () => {
    await expect(follow()).rejects.toThrow(
      `the trusted documents of ${publishedKey} are not there: run npm run persist -- GLOB --publish`,
    );
    await expect(follow({ redis: null })).rejects.toThrow(
      'TRUSTED_DOCUMENTS_PATH is "redis:": expected REDIS_URL beside it',
    );
    const documents = await follow({ isRequired: false });
    expect(documents.size).toBe(0);
    await publish(manifestOf('a'));
    await vi.waitFor(() => expect(documents.size).toBe(1), patience);
    await redis.run((client) => client.hSet(publishedKey, 'sha256', 'other'));
    await expect(follow({ isRequired: false })).rejects.toThrow('got another');
    await server.kill();
    await vi.waitFor(() => expect(redis.isUp).toBe(false), patience);
    await expect(follow()).rejects.toThrow('cannot be read: REDIS_URL: nobody answers there');
    const without = await follow({ isRequired: false });
    await server.start();
    await vi.waitFor(() => expect(redis.isUp).toBe(true), patience);
    await publish(manifestOf('a', 'b', 'c'));
    await vi.waitFor(() => expect(without.size).toBe(3), patience);
  });
});
