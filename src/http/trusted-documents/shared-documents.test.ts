import { createSchema, createYoga } from 'graphql-yoga';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createRedis, type Redis } from '../../redis/client.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../../testing/test-redis.ts';
import { maskError } from '../use-error-codes.ts';
import { sha256Of } from './manifest.ts';
import { createRegisteredDocuments } from './registered-documents.ts';
import { createSharedDocuments, type SharedDocumentsOptions, sharedKeys } from './shared-documents.ts';
import { noTrustedDocuments } from './trusted-documents.ts';
import { type TrustedDocumentsPluginOptions, useTrustedDocuments } from './use-trusted-documents.ts';

const log = pino({ level: 'silent' });
/** Of a machine that has other things to do. */
const patience = { timeout: 10_000 };
const typename = '{ __typename }';

describe.skipIf(!hasRedisServer())('registered documents of several processes', () => {
  let server: TestRedis;
  let redis: Redis;
  const open: (() => unknown)[] = [];

  beforeEach(async () => {
    server = await startTestRedis();
    open.push(server.stop);
    redis = await connect();
  });

  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  const connect = async () => {
    const made = createRedis({ url: server.url, log, registry: new Registry() });
    open.push(made.close);
    await vi.waitFor(() => expect(made.isUp).toBe(true), patience);
    return made;
  };
  const shared = (options?: SharedDocumentsOptions) => createSharedDocuments(redis, options);
  const count = () => redis.run((client) => Promise.all([client.hLen(sharedKeys[0]), client.zCard(sharedKeys[1])]));

  /** A process: what it answers to a hash with or without the text. */
  const serve = async (options: Partial<TrustedDocumentsPluginOptions> = {}) => {
    const own = { documents: noTrustedDocuments, mode: 'off', registration: 'everyone' } as const;
    const registered = createRegisteredDocuments({ shared: createSharedDocuments(await connect()) });
    const plugin = useTrustedDocuments({ ...own, registered, log, registry: new Registry(), ...options });
    const schema = createSchema({ typeDefs: 'type Query { a: Int }' });
    const yoga = createYoga({ schema, logging: false, maskedErrors: { maskError }, plugins: [plugin] });
    return async (text: string, others: object = {}): Promise<string> => {
      const extensions = { persistedQuery: { version: 1, sha256Hash: sha256Of(text) } };
      const response = await yoga.fetch('http://test/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ extensions, ...others }),
      });
      const { data, errors } = (await response.json()) as { data?: object; errors?: { message: string }[] };
      return errors?.[0]?.message ?? JSON.stringify(data);
    };
  };
  const found = '{"__typename":"Query"}';
  const notFound = 'PersistedQueryNotFound';

  test('are known to the one that was not told of them', async () => {
    const [one, other, closed] = [await serve(), await serve(), await serve({ registration: 'off' })];
    expect(await other(typename)).toBe(notFound);
    expect(await one(typename, { query: typename })).toBe(found);
    await vi.waitFor(async () => expect(await count()).toEqual([1, 1]), patience);
    expect(await other(typename)).toBe(found);
    expect(await other(typename, { extensions: {}, documentId: sha256Of(typename) })).toBe(found);
    expect(await closed(typename)).toBe(notFound);
    // What it has heard once it knows without Redis.
    await server.kill();
    expect(await other(typename)).toBe(found);
  });

  test('are not what Redis says when their hash is another', async () => {
    const ask = await serve();
    await redis.run((client) => client.hSet(sharedKeys[0], sha256Of('{ other }'), typename));
    expect(await ask('{ other }')).toBe(notFound);
  });

  test('are known to the process alone while Redis is away, and are shared later', async () => {
    const [one, other] = [await serve(), await serve()];
    await server.kill();
    await vi.waitFor(() => expect(redis.isUp).toBe(false), patience);
    expect(await one(typename, { query: typename })).toBe(found);
    expect([await one(typename), await other(typename)]).toEqual([found, notFound]);
    await server.start();
    // Each use comes eleven seconds after the one before, and all of them within the hour.
    const clock = vi.spyOn(performance, 'now');
    const now = performance.now();
    let uses = 0;
    await vi.waitFor(async () => {
      uses += 1;
      clock.mockReturnValue(now + uses * 11_000);
      await one(typename);
      expect(await other(typename)).toBe(found);
    }, patience);
    vi.restoreAllMocks();
  });

  test('a frozen Redis costs a request no more than its deadline', async () => {
    const ask = await serve();
    server.freeze();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(`{ a${i}: __typename }`)));
    expect(answers).toEqual(answers.map(() => notFound));
    server.thaw();
  });

  test('are bounded in number: the longest unused make room', async () => {
    const documents = shared({ maxEntries: 3 });
    const texts = ['a', 'b', 'c', 'd'].map((name) => `{ ${name}: __typename }`);
    let clock = 1_000_000;
    vi.spyOn(Date, 'now').mockImplementation(() => (clock += 1));
    for (const text of texts.slice(0, 3)) await documents.keep(sha256Of(text), text);
    expect(await documents.find(sha256Of(texts[0]!))).toBe(texts[0]);
    await documents.keep(sha256Of(texts[3]!), texts[3]!);
    const left = await Promise.all(texts.map((text) => documents.find(sha256Of(text))));
    expect(left).toEqual([texts[0], null, texts[2], texts[3]]);
    expect(await count()).toEqual([3, 3]);
    vi.restoreAllMocks();
  });

  test('go when nobody has used them for long, many at a time', async () => {
    const documents = shared({ ttlMs: 10_000 });
    const text = (number: number) => `{ a${number}: __typename }`;
    let clock = 1_000_000;
    vi.spyOn(Date, 'now').mockImplementation(() => clock);
    for (let number = 0; number < 150; number++) await documents.keep(sha256Of(text(number)), text(number));
    clock += 10_001;
    await documents.find(sha256Of(text(7)));
    await documents.keep('x', 'y');
    expect(await count()).toEqual([51, 51]);
    await documents.keep('x', 'y');
    expect(await count()).toEqual([2, 2]);
    expect(await documents.find(sha256Of(text(7)))).toBe(text(7));
    expect(await redis.run((client) => client.pTTL(sharedKeys[0]))).toBeGreaterThan(5_000);
    vi.restoreAllMocks();
  });

  test('large ones are left to the process', async () => {
    const text = `{ __typename } #${'x'.repeat(40_000)}`;
    const local = createRegisteredDocuments({ shared: shared() });
    local.set(sha256Of(text), text);
    expect(await shared().keep(sha256Of(text), text)).toBe(true);
    expect([local.get(sha256Of(text)), await count()]).toEqual([text, [0, 0]]);
  });
});
