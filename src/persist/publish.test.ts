import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readManifest, sha256Of } from '../http/trusted-documents/manifest.ts';
import { publishedKey, publishManifest, readPublished } from '../http/trusted-documents/published-manifest.ts';
import { createRedis, type Redis } from '../redis/client.ts';
import { schema } from '../schema/index.ts';
import { findFreePort } from '../testing/free-port.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';
import { publish, withRedis } from './publish.ts';

const md5Of = (text: string) => createHash('md5').update(text).digest('hex');

/** Of a machine that has other things to do. */
const patience = { timeout: 10_000 };

// Each run of the command starts a process that loads the whole schema.
describe.skipIf(!hasRedisServer())('npm run persist -- --publish', { timeout: 90_000 }, () => {
  let server: TestRedis;
  let redis: Redis;
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'publish-'));
    server = await startTestRedis();
    redis = createRedis({ url: server.url, log: pino({ level: 'silent' }), registry: new Registry() });
    await vi.waitFor(() => expect(redis.isUp).toBe(true), patience);
  });

  afterAll(async () => {
    redis.close();
    await server.stop();
    await rm(folder, { recursive: true });
  });

  beforeEach(() => redis.run((client) => client.flushAll()));

  const write = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const run = (given: string[], environment: Record<string, string> = {}) =>
    new Promise<{ code: number; output: string }>((resolve) => {
      const env = { ...process.env, REDIS_URL: server.url, ...environment };
      execFile(process.execPath, ['src/persist/cli.ts', ...given], { env }, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), output: `${stdout}${stderr}`.replaceAll(`${folder}/`, '').trim() }),
      );
    });
  const published = async () => readManifest((await readPublished(redis))!.text);
  const names = async () => (await published()).map(({ operation }) => operation.name);

  test('adds to what older apps use, and removes it only when told to', async () => {
    const one = await write('one.graphql', 'query One { viewer { id } }');
    const two = await write('two.graphql', 'query Two($first: Int = 3) { features(first: $first) { nodes { id } } }');
    expect(await run([one, '--publish'])).toEqual({ code: 0, output: 'redis: 1 operations, 1 of them new' });
    expect(await run([two], { TRUSTED_DOCUMENTS_PATH: 'redis:' })).toEqual({
      code: 0,
      output: 'redis: 2 operations, 1 of them new',
    });
    expect(await names()).toEqual(['One', 'Two']);
    const [, second] = await published();
    expect(second!.operation).toMatchObject({ id: sha256Of(second!.body), cost: 4, variables: { first: 'Int' } });
    const before = await redis.run((client) => client.hGetAll(publishedKey));
    expect((await run([one, two, '--publish'])).output).toBe('redis: 2 operations, 0 of them new');
    expect(await redis.run((client) => client.hGetAll(publishedKey))).toEqual(before);
    expect((await run([two, '--publish', '--replace'])).output).toBe('redis: 1 operations, 1 of them new');
    expect(await names()).toEqual(['Two']);
  });

  test('takes over the ids of a manifest that another tool wrote', async () => {
    const body = 'query Relay {\n  viewer {\n    name\n  }\n}\n';
    const relay = await write('persisted.json', JSON.stringify({ [md5Of(body)]: body }));
    expect((await run(['--manifest', relay, '--publish'])).output).toBe('redis: 1 operations, 1 of them new');
    expect(await published()).toMatchObject([{ id: md5Of(body), body, operation: { name: 'Relay', cost: 1 } }]);
    const out = join(folder, 'out.json');
    expect(await run(['--manifest', relay, '--out', out])).toMatchObject({ code: 0 });
    expect(readManifest(await readFile(out, 'utf8'))).toMatchObject([{ id: md5Of(body) }]);
    const wrong = await write('wrong.json', JSON.stringify({ a: '{ nothing }' }));
    expect(await run(['--manifest', wrong, '--publish'])).toEqual({
      code: 1,
      output: 'wrong.json: a (without a name): line 1: Cannot query field "nothing" on type "Query".',
    });
    const broken = await write('broken.json', '[]');
    expect((await run(['--manifest', broken, '--publish'])).output).toBe(
      '--manifest: expected an object of ids and documents, got a list',
    );
  });

  test('names documents that stay although the schema has moved on, and what is wrong in --check', async () => {
    const text = JSON.stringify({ old: 'query Old { viewer { gone } }' });
    await publishManifest(redis, { text, documents: 1, replaces: null });
    const problem = 'old (Old): line 1: Cannot query field "gone" on type "User".';
    const one = await write('one.graphql', 'query One { viewer { id } }');
    const { code, output } = await run([one, '--publish']);
    expect([code, output.split('\n').sort()]).toEqual([
      0,
      [`of an earlier manifest: ${problem}`, 'redis: 2 operations, 1 of them new'],
    ]);
    expect(await run(['--publish', '--check'])).toEqual({ code: 1, output: `${publishedKey}: ${problem}` });
  });

  test('never writes over what another published meanwhile', async () => {
    const manifests = Array.from({ length: 8 }, (_, i) =>
      JSON.stringify({ [`id${i}`]: `query N${i} { viewer { id } }` }),
    );
    await Promise.all(manifests.map((manifest) => publish(redis, schema, manifest, { isReplacing: false })));
    expect((await published()).map(({ id }) => id).sort()).toEqual(manifests.map((_, i) => `id${i}`));
  });

  test('says what is wrong with what it is asked', async () => {
    const other = JSON.stringify({ a: 'query A { viewer { id } }' });
    await publish(redis, schema, other, { isReplacing: false });
    const again = publish(redis, schema, JSON.stringify({ a: '{ __typename }' }), { isReplacing: false });
    await expect(again).rejects.toThrow('the id "a" stands for another document that is published');
    await redis.run((client) => client.hSet(publishedKey, 'sha256', 'other'));
    const one = await write('one.graphql', 'query One { viewer { id } }');
    expect((await run([one, '--publish'])).output).toMatch(/^what is published cannot be added to, only replaced: /);
    expect((await run([one, '--publish', '--replace'])).code).toBe(0);
    const asked = await Promise.all([
      run([one, '--publish'], { REDIS_URL: '' }),
      run([one, '--replace']),
      run([one, '--publish', '--out', 'x']),
    ]);
    expect(asked).toEqual([
      { code: 1, output: 'REDIS_URL is not set: expected the Redis of the servers' },
      { code: 1, output: 'Expected --replace beside --publish only' },
      { code: 1, output: 'Expected --publish or --out, got both' },
    ]);
    const nobody = withRedis(`redis://127.0.0.1:${await findFreePort()}`, async () => expect.unreachable());
    await expect(nobody).rejects.toThrow('REDIS_URL: nobody answers there');
  });
});
