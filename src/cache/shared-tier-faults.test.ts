/** Traps 15 and 17: a store that is slow, frozen, away or refusing must cost nobody an answer. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { createRedis } from '../redis/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';
import { SharedAnswers } from './shared-answers.ts';
import { type CacheProcess, openCacheProcess } from './testing-cache-process.ts';

const patience = { timeout: 10_000 };
/** As many in a row, and the breaker opens: redis/client.ts. */
const breakAfterFailures = 3;

describe.skipIf(!hasRedisServer())('a shared tier that does not work', () => {
  let database: TestDatabase;
  let log: TestRedis;
  let values: TestRedis;
  let process: CacheProcess;
  let keys = 0;

  beforeAll(async () => {
    database = await createTestDatabase(inject('postgres'));
  });

  afterAll(() => database.drop());

  beforeEach(async () => {
    [log, values] = await Promise.all([startTestRedis(), startTestRedis()]);
    process = await openCacheProcess({
      database: database.pool,
      url: log.url,
      valuesUrl: values.url,
      hasDeadline: true,
    });
    await process.ask('first', () => 'x');
    await expect.poll(() => process.writes).toEqual(['stored']);
  });

  afterEach(async () => {
    values.thaw();
    await process[Symbol.asyncDispose]();
    await Promise.all([log.stop(), values.stop()]);
  });

  /** One after the other, each of its own key. */
  const askNew = async (count: number) => {
    for (let index = 0; index < count; index++) {
      keys += 1;
      const key = `key-${keys}`;
      expect(await process.ask(key, () => `body of ${key}`)).toBe(`body of ${key}`);
      expect(await process.cache.peek(key, process.operation)).not.toBeNull();
    }
  };

  const failures = async (reason: string) => {
    const text = await process.registry.metrics();
    return Number(new RegExp(`failures_total\\{reason="${reason}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
  };

  test('frozen: a few requests wait for it, all others go on at once; what is here is answered', async () => {
    values.freeze();
    await askNew(200);
    expect(process.reads.slice(1)).toEqual(Array.from({ length: 200 }, () => 'failed'));
    // A read and a write of each request at most, until the breaker opens; it probes with one each 1.2 s.
    expect(await failures('timeout')).toBeLessThanOrEqual(2 * breakAfterFailures + 2);
    await expect.poll(() => process.writes.length).toBe(201);
    // All the others at once: by the breaker, or as its socket was given up by then.
    expect((await failures('open')) + (await failures('offline'))).toBeGreaterThan(380);
    values.thaw();
    const isStored = async () => {
      await askNew(1);
      return process.writes.includes('stored', 201);
    };
    await expect.poll(isStored, patience).toBe(true);
  });

  test('frozen: requests that wait for it wait together', async () => {
    values.freeze();
    const bodies = await Promise.all(Array.from({ length: 100 }, () => process.ask('k', () => 'x')));
    expect(new Set(bodies)).toEqual(new Set(['x']));
    expect(process.reads.slice(1)).toEqual(['failed']);
  });

  test('away: nobody waits, and it is used again when it is back', async () => {
    await values.kill();
    await expect.poll(() => process.redis.isUp).toBe(false);
    await askNew(100);
    expect(await failures('timeout')).toBe(0);
    expect(process.outcomes.slice(1).filter((outcome) => outcome === 'miss')).toHaveLength(100);
    await values.start();
    const isStored = async () => {
      await askNew(1);
      return process.writes.at(-1);
    };
    await expect.poll(isStored, patience).toBe('stored');
  });

  test('full: it takes nothing more, and is still read', async () => {
    await process.redis.run((client) => client.configSet({ maxmemory: '1', 'maxmemory-policy': 'noeviction' }));
    await askNew(20);
    await expect.poll(() => process.writes.slice(1)).toEqual(Array.from({ length: 20 }, () => 'failed'));
    expect(process.redis.isUp).toBe(true);
    await process.redis.run((client) => client.configSet('maxmemory', '0'));
    await askNew(1);
    await expect.poll(() => process.writes.at(-1)).toBe('stored');
  });

  test('a key of another kind is a failure, and no answer', async () => {
    await process.redis.run((client) => client.lPush('tributary:answer:code:k', 'x'));
    expect(await process.ask('k', () => 'x')).toBe('x');
    expect(process.reads.at(-1)).toBe('failed');
  });

  test('frozen while an expensive one is to be made: it is made', async () => {
    process.operation.makingMs = 10_000;
    values.freeze();
    expect(await process.ask('k', () => 'x')).toBe('x');
    expect(process.waits).toEqual([]);
  });

  test('closed: nothing connects again', async () => {
    const redis = createRedis({ url: values.url, log: pino({ level: 'silent' }), registry: new Registry() });
    await expect.poll(() => redis.isUp).toBe(true);
    const answers = new SharedAnswers({ redis });
    redis.close();
    expect(await answers.read('first')).toBeNull();
    expect(redis.client.isOpen).toBe(false);
  });

  test('one process has one connection to it, however much it does', async () => {
    await process.redis.run((client) => client.configResetStat());
    await Promise.all(Array.from({ length: 300 }, (_, index) => process.ask(`many-${index}`, () => 'x')));
    const info = await process.redis.run((client) => client.info('stats'));
    expect(Number(/total_connections_received:(\d+)/.exec(info)?.[1])).toBe(0);
  });
});
