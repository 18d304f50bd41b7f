import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type CacheProcess, openCacheProcess } from '../cache/testing-cache-process.ts';
import { createFeatures } from '../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp } from '../testing/test-app.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';

describe.skipIf(!hasRedisServer())('an answer of the shared tier', () => {
  let redis: TestRedis;
  /** Of the log only: an app has one of its own. */
  let database: TestDatabase;
  let process: CacheProcess;
  let app: TestApp;

  beforeAll(async () => {
    [redis, database] = await Promise.all([startTestRedis(), createTestDatabase(inject('postgres'))]);
    // Nothing stays in the process, so whatever is kept is in Redis.
    process = await openCacheProcess({ url: redis.url, database: database.pool, cache: { maxBytes: 1 } });
    app = await createTestApp({ cache: process.cache });
  });

  afterAll(async () => {
    await app.close();
    await process[Symbol.asyncDispose]();
    await Promise.all([redis.stop(), database.drop()]);
  });

  const document = 'query Names { features { nodes { name } } }';
  const ask = async () => {
    const { data, headers } = await app.query(document);
    return { names: data.features.nodes.map(({ name }: { name: string }) => name), headers };
  };

  test('comes without a statement, says where from, and goes by a write', async () => {
    await createFeatures(app.database.pool, app.viewer, [{ name: 'One' }]);
    const made = await ask();
    expect([made.names, made.headers.get('cache-status')]).toEqual([['One'], 'tributary; fwd=miss; stored']);
    await expect.poll(() => process.writes).toEqual(['stored']);
    const statements = await countStatements(app, async () => {
      const found = await ask();
      expect(found.names).toEqual(['One']);
      expect(found.headers.get('cache-status')).toMatch(/^tributary; hit; ttl=\d+; detail=l2$/);
    });
    expect(statements).toEqual([]);
    await app.query('mutation { createFeature(input: { name: "Two" }) { feature { id } } }');
    expect((await ask()).names.toSorted()).toEqual(['One', 'Two']);
  });

  test('lies under a name that says what it is, and nothing of what was typed', async () => {
    const typed =
      'query Search($text: String, $first: Int) { features(filter: { nameContains: $text }, first: $first) { nodes { name } } }';
    await app.query(typed, { text: 'my secret', first: 3 });
    const find = () => process.redis.run((client) => client.keys('tributary:answer:*:Search:*'));
    await expect.poll(find).toHaveLength(1);
    const [key] = await find();
    expect(key).toContain(`:organization:${app.viewer.organizationId}:`);
    expect(key).toMatch(/:\{"first":3\}~[\w-]{43}$/);
    expect(key).not.toContain('secret');
  });
});
