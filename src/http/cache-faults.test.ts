/** A shared store that is slow, away or back must cost hits only: no error, no hang, no old answer, no key without an end. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { AnswerPause } from '../cache/answer-pause.ts';
import { changesKey, createRedisInvalidationLog } from '../cache/redis-invalidation-log.ts';
import { readConfig } from '../config.ts';
import { createRedis, type Redis } from '../redis/client.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import { type CachedServers, createCachedServers, signedHeaders } from '../testing/cached-servers.ts';
import { createFeatures } from '../testing/seed-builders.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';
import { createRateLimiter } from './rate-limit/rate-limiter.ts';

const log = pino({ level: 'silent' });
const patience = { timeout: 20_000 };

describe.skipIf(!hasRedisServer())('15, 16, 17: with a store in Redis', () => {
  let server: TestRedis;
  let redis: Redis;
  /** Of the pauses alone. */
  let database: TestDatabase;
  let servers: CachedServers;
  let headers: Record<string, string>;
  let ids: string[];
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown) => void rejections.push(reason);

  beforeAll(async () => {
    process.on('unhandledRejection', onRejection);
    server = await startTestRedis();
    const registry = new Registry();
    redis = createRedis({ url: server.url, log, registry });
    database = await createTestDatabase(inject('postgres'));
    const answerPause = new AnswerPause(database.pool);
    const { rateLimits } = readConfig({ NODE_ENV: 'test' });
    servers = await createCachedServers({
      openLog: (onChange) => createRedisInvalidationLog({ redis, key: changesKey, answerPause, onChange }),
      rateLimiter: createRateLimiter({ rateLimits, redis, log, registry }),
    });
    const { app, issuer } = servers;
    headers = { 'content-type': 'application/json', ...(await signedHeaders(issuer, app.viewer)) };
    const names = Array.from({ length: 10 }, (_, number) => ({ name: `Feature ${number}` }));
    const rows = await createFeatures(app.database.pool, app.viewer, names);
    ids = rows.map((row) => encodeGlobalId('Feature', row.id));
  });

  beforeEach(() => expectHits());

  afterEach(() => {
    expect(rejections).toEqual([]);
  });

  afterAll(async () => {
    process.off('unhandledRejection', onRejection);
    await servers.close();
    await database.drop();
    redis.close();
    await server.stop();
  });

  async function ask(query: string, variables: object = {}) {
    const body = JSON.stringify({ query, variables });
    const response = await fetch(`${servers.cached}/graphql`, { method: 'POST', headers, body });
    expect(response.status).toBe(200);
    const { data, errors } = (await response.json()) as { data: Record<string, never>; errors?: unknown };
    expect(errors).toBeUndefined();
    return data;
  }

  const read = (id: string) => ask('query ($id: ID!) { feature(id: $id) { name } }', { id });
  const rename = (id: string, name: string) =>
    ask('mutation ($id: ID!, $name: String!) { updateFeature(input: { id: $id, name: $name }) { feature { id } } }', {
      id,
      name,
    });

  /** The store is there, and what was asked before is answered from it. */
  async function expectHits() {
    await expect
      .poll(async () => {
        await read(ids[0]!);
        servers.outcomes.length = 0;
        await read(ids[0]!);
        return servers.outcomes;
      }, patience)
      .toEqual(['hit']);
  }

  /** Reads of everything at once, over and over; and a write, which each later read shows. */
  async function expectRight(label: string) {
    for (let round = 0; round < 5; round++) await Promise.all(ids.map(read));
    await rename(ids[1]!, label);
    expect(await Promise.all([read(ids[1]!), read(ids[1]!)])).toEqual(
      Array.from({ length: 2 }, () => ({ feature: { name: label } })),
    );
    const created = await ask(
      'mutation ($name: String!) { createFeature(input: { name: $name }) { feature { id } } }',
      {
        name: `new ${label}`,
      },
    );
    expect(created.createFeature).toBeDefined();
    expect(JSON.stringify(await ask('{ features(first: 1) { nodes { name } } }'))).toContain(`new ${label}`);
  }

  test('that is killed under requests: none fails, and all are right', async () => {
    const asking = Promise.all(Array.from({ length: 200 }, (_, number) => read(ids[number % ids.length]!)));
    await server.kill();
    await asking;
    await expectRight('killed');
    servers.outcomes.length = 0;
    await read(ids[0]!);
    expect(servers.outcomes).toEqual(['bypass']);
    await server.start();
  });

  test('that hangs: none waits for it, none fails, and all are right', async () => {
    server.freeze();
    try {
      await expectRight('frozen');
    } finally {
      server.thaw();
    }
    expect(await read(ids[1]!)).toEqual({ feature: { name: 'frozen' } });
  });

  test('that is emptied: nothing from before comes back', async () => {
    await read(ids[2]!);
    await redis.run((client) => client.flushAll());
    await expectRight('emptied');
  });

  test('that refuses to write: none fails, and all are right', async () => {
    await redis.run((client) => client.configSet('maxmemory', '1'));
    try {
      await expectRight('full');
    } finally {
      await redis.run((client) => client.configSet('maxmemory', '0'));
    }
  });

  test('is never searched for keys, and every key in it has an end or a bound', async () => {
    await redis.run((client) => client.configResetStat());
    for (let round = 0; round < 20; round++) {
      await Promise.all(ids.map(read));
      await rename(ids[round % ids.length]!, `round ${round}`);
      await ask(`{ features(first: ${round + 1}) { totalCount nodes { name owner { name } } } viewer { id } }`);
    }
    const stats = await redis.run((client) => client.info('commandstats'));
    const commands = [...stats.matchAll(/^cmdstat_([^:|]+)/gm)].map(([, name]) => name);
    expect(commands).toContain('xrange');
    for (const slow of ['keys', 'scan', 'flushall', 'flushdb', 'smembers', 'hgetall', 'monitor']) {
      expect(commands).not.toContain(slow);
    }
    const listKeys = () => redis.run((client) => client.keys('*'));
    // Quotas are counted there beside the requests.
    await expect.poll(listKeys).toContainEqual(expect.not.stringContaining(changesKey));
    const keys = await listKeys();
    expect(keys).toContain(changesKey);
    const times = await Promise.all(
      keys.map(async (key) => [key, await redis.run((client) => client.ttl(key))] as const),
    );
    // Without a time of its own, but never longer than so many entries: the test below.
    expect(times.filter(([key, seconds]) => seconds < 0 && key !== changesKey)).toEqual([]);
  });

  test('keeps so many changes, and no more', async () => {
    const change = (number: number) => servers.cache.onWrite([`tag ${number}`]);
    for (let batch = 0; batch < 120; batch++) {
      await Promise.all(Array.from({ length: 100 }, (_, number) => change(batch * 100 + number)));
    }
    const length = await redis.run((client) => client.xLen(changesKey));
    expect(length).toBeGreaterThanOrEqual(10_000);
    expect(length).toBeLessThanOrEqual(10_200);
  });
});
