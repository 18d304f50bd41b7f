import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { createRedis, type Redis } from '../redis/client.ts';
import { startTcpProxy } from '../testing/tcp-proxy.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';
import { AnswerPause } from './answer-pause.ts';
import type { Change, InvalidationLog, Position } from './invalidation-log.ts';
import { changeEverything, createRedisInvalidationLog } from './redis-invalidation-log.ts';

const key = 'test:invalidations';
/** Longer than a process takes to lose a Redis that is away, and to trust one that is back. */
const patience = { timeout: 10_000 };
/** A machine that is busy with other tests is no database that is away. */
const patient = { checkTimeoutMs: 10_000 };

interface Follower {
  readonly log: InvalidationLog;
  readonly redis: Redis;
  readonly told: Change[];
  readonly following: boolean[];
}

describe.skipIf(!hasRedisServer())('the log of several processes', () => {
  let server: TestRedis;
  let database: TestDatabase;
  let open: (() => unknown)[] = [];

  beforeAll(async () => {
    database = await createTestDatabase(inject('postgres'));
  });

  afterAll(() => database.drop());

  beforeEach(async () => {
    server = await startTestRedis();
    open = [server.stop];
  });

  afterEach(async () => {
    for (const close of open.reverse()) await close();
  });

  async function follow(wrap = (redis: Redis) => redis, url = server.url): Promise<Follower> {
    const redis = createRedis({ url, log: pino({ level: 'silent' }), registry: new Registry() });
    const told: Change[] = [];
    const following: boolean[] = [];
    await expect.poll(() => redis.isUp).toBe(true);
    const log = createRedisInvalidationLog({
      redis: wrap(redis),
      key,
      answerPause: new AnswerPause(database.pool, patient),
      onChange: (change) => told.push(change),
      onFollowing: (isFollowing) => following.push(isFollowing),
    });
    open.push(redis.close, () => log.close());
    return { log, redis, told, following };
  }

  const known = async (follower: Follower): Promise<Position> => {
    const position = await follower.log.catchUp();
    expect(position).not.toBeNull();
    return position!;
  };

  const reads = async ({ redis }: Follower) => {
    const info = await redis.run((client) => client.info('commandstats'));
    return Number(/cmdstat_xrange:calls=(\d+)/.exec(info)?.[1] ?? 0);
  };

  test('a change of one process is known to the other as soon as it is acknowledged', async () => {
    const [writer, reader] = await Promise.all([follow(), follow()]);
    const before = await known(reader);
    for (let round = 0; round < 200; round++) {
      const since = await known(reader);
      await writer.log.append([`tag-${round}`]);
      const now = await known(reader);
      expect(reader.log.hasChangedSince(since, [`tag-${round}`])).toBe(true);
      expect(reader.log.hasChangedSince(now, [`tag-${round}`])).toBe(false);
      expect(reader.log.hasChangedSince(since, ['other'])).toBe(false);
    }
    expect(reader.told).toHaveLength(200);
    expect(reader.log.hasChangedSince(before, ['tag-0'])).toBe(true);
  });

  test('all who ask at a time share one read', async () => {
    const reader = await follow();
    await known(reader);
    const before = await reads(reader);
    await Promise.all(Array.from({ length: 500 }, () => reader.log.catchUp()));
    expect((await reads(reader)) - before).toBe(1);
  });

  test('a read begins at once for many, for few not before a millisecond has passed since the last one', async () => {
    const reader = await follow();
    await known(reader);
    const before = await reads(reader);
    let answered = 0;
    const ask = () => void known(reader).then(() => (answered += 1));
    const answersWithin = async (count: number) => {
      for (let tries = 0; answered < count && tries < 2_000; tries++) await delay(5);
      return answered;
    };
    // A clock that stands.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      for (let count = 0; count < 15; count++) ask();
      await delay(30);
      expect(answered).toBe(0);
      ask();
      expect(await answersWithin(16)).toBe(16);
      ask();
      await delay(30);
      expect(answered).toBe(16);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await answersWithin(17)).toBe(17);
    } finally {
      vi.useRealTimers();
    }
    expect((await reads(reader)) - before).toBe(2);
  });

  test('who asks after a change was acknowledged is not answered by a read that began before', async () => {
    const writer = await follow();
    let held: Promise<unknown> = Promise.resolve();
    const reader = await follow((redis) => ({
      ...redis,
      client: redis.client,
      isUp: true,
      run: async (work) => {
        const result = await redis.run(work);
        await held;
        return result;
      },
    }));
    const since = await known(reader);
    const gate = Promise.withResolvers<void>();
    held = gate.promise;
    const early = reader.log.catchUp();
    await expect.poll(() => reads(writer)).toBeGreaterThan(1);
    await writer.log.append(['a']);
    const late = reader.log.catchUp();
    gate.resolve();
    await Promise.all([early, late]);
    expect(reader.log.hasChangedSince(since, ['a'])).toBe(true);
  });

  test('a change that is not acknowledged yet keeps what was read before it from being stored', async () => {
    const writer = await follow();
    const since = await known(writer);
    const appended = writer.log.append(['a']);
    expect(writer.log.hasChangedSince(since, ['a'])).toBe(true);
    expect(writer.log.hasChangedSince(since, ['b'])).toBe(false);
    await appended;
    expect(writer.log.hasChangedSince(since, ['a'])).toBe(true);
  });

  test('a change told by another version of the code, by other tags, is one of everything', async () => {
    const reader = await follow();
    const since = await known(reader);
    await reader.redis.run((client) => client.xAdd(key, '*', { tags: 'a' }));
    await known(reader);
    expect(reader.log.hasChangedSince(since, ['b'])).toBe(true);
    expect(reader.told).toEqual(['all']);
  });

  test('a process that comes later knows what changed before it came', async () => {
    const writer = await follow();
    const first = await known(writer);
    await writer.log.append(['a']);
    const second = await known(writer);
    const reader = await follow();
    await known(reader);
    expect(reader.log.hasChangedSince(first, ['a'])).toBe(true);
    expect(reader.log.hasChangedSince(second, ['a'])).toBe(false);
    expect(reader.told).toEqual([['a']]);
  });

  test('who missed more than the stream keeps starts anew', async () => {
    const [writer, reader] = await Promise.all([follow(), follow()]);
    const since = await known(reader);
    await writer.log.append(['a']);
    await writer.log.append(['b']);
    await writer.redis.run((client) => client.xTrim(key, 'MAXLEN', 1));
    expect(await reader.log.catchUp()).toBeNull();
    expect(reader.log.hasChangedSince(since, ['x'])).toBe(true);
    await expect.poll(() => reader.log.catchUp(), patience).not.toBeNull();
    expect(reader.told).toContain('all');
    expect(reader.following).toEqual([false, true]);
  });

  test('without Redis nothing is known; when it is back everything has changed, for all', async () => {
    const [writer, reader] = await Promise.all([follow(), follow()]);
    const since = await known(reader);
    await server.kill();
    await expect.poll(() => reader.log.catchUp()).toBeNull();
    // Waits as long as others may not have found out that it is away, and no longer.
    await writer.log.append(['a']);
    await server.start();
    await expect.poll(() => reader.log.catchUp(), patience).not.toBeNull();
    expect(reader.log.hasChangedSince(since, ['x'])).toBe(true);
    expect(reader.told).toContain('all');
    await expect.poll(() => writer.log.catchUp(), patience).not.toBeNull();
    await writer.log.append(['b']);
    const now = await known(reader);
    expect(reader.log.hasChangedSince(now, ['b'])).toBe(false);
    expect(reader.told.at(-1)).toEqual(['b']);
  });

  test('a process that was cut off makes everybody start anew: nobody was told what it changed meanwhile', async () => {
    const [lost, other] = await Promise.all([follow(), follow()]);
    // One after the other: both would begin by a change of everything.
    await known(lost);
    await known(other);
    const id = await lost.redis.run((client) => client.clientId());
    await other.redis.run((client) => client.clientKill({ filter: 'ID', id }));
    await expect.poll(() => lost.log.catchUp(), patience).not.toBeNull();
    await known(other);
    expect(lost.following).toEqual([false, true]);
    expect(other.told).toEqual(['all']);
  });

  test('a change of a process that alone is cut off reaches those who follow Redis by the database', async () => {
    const proxy = await startTcpProxy(Number(new URL(server.url).port));
    open.push(proxy.close);
    const [lost, other] = [await follow(undefined, `redis://127.0.0.1:${proxy.port}`), await follow()];
    const since = await known(other);
    await known(lost);
    proxy.cut();
    await lost.log.append(['a']);
    expect(await other.log.catchUp()).toBeNull();
    expect(other.log.hasChangedSince(since, ['x'])).toBe(true);
    // As long as it is away and changes things, nobody keeps answers; the second change waits for nothing.
    await lost.log.append(['b']);
    expect(await other.log.catchUp()).toBeNull();
    proxy.mend();
    await expect.poll(() => other.log.catchUp(), patience).not.toBeNull();
    await expect.poll(() => lost.log.catchUp(), patience).not.toBeNull();
    const now = await known(other);
    await lost.log.append(['c']);
    await known(other);
    expect(other.log.hasChangedSince(now, ['c'])).toBe(true);
    expect(other.log.hasChangedSince(now, ['x'])).toBe(false);
  });

  test('who writes past the servers can say that everything has changed', async () => {
    const reader = await follow();
    const since = await known(reader);
    expect(await changeEverything(reader.redis, key)).toBe(true);
    await known(reader);
    expect(reader.log.hasChangedSince(since, ['x'])).toBe(true);
    await server.kill();
    expect(await changeEverything(reader.redis, key)).toBe(false);
  });

  // As on a machine that is busy: who goes on without it has more to do than before, and drops all that was kept.
  test('a Redis that is late is waited for', async () => {
    const [writer, reader] = await Promise.all([follow(), follow()]);
    const since = await known(reader);
    await known(writer);
    server.freeze();
    const [appended, position] = [writer.log.append(['a']), reader.log.catchUp()];
    await delay(100);
    server.thaw();
    await appended;
    expect(await position).not.toBeNull();
    await known(reader);
    expect(reader.log.hasChangedSince(since, ['a'])).toBe(true);
    expect(reader.log.hasChangedSince(since, ['b'])).toBe(false);
    expect([writer.following, reader.following]).toEqual([[], []]);
  });

  test('a Redis that hangs for a moment delays a change, and loses none', async () => {
    const [writer, reader] = await Promise.all([follow(), follow()]);
    const since = await known(reader);
    server.freeze();
    const appended = writer.log.append(['a']);
    expect(await reader.log.catchUp()).toBeNull();
    server.thaw();
    await appended;
    await expect.poll(() => reader.log.catchUp(), patience).not.toBeNull();
    expect(reader.log.hasChangedSince(since, ['a'])).toBe(true);
  });

  test('who starts where others follow knows what they know; where nobody does, everything has changed', async () => {
    const first = await follow();
    const since = await known(first);
    const second = await follow();
    await known(second);
    expect(second.log.hasChangedSince(since, ['x'])).toBe(false);
    // Ended without Redis, they could not say what they changed last.
    for (const { log, redis } of [first, second]) {
      log.close();
      redis.close();
    }
    const later = await follow();
    await expect.poll(() => later.redis.run((client) => client.exists(`${key}:followed`)), patience).toBe(0);
    await known(later);
    expect(later.log.hasChangedSince(since, ['x'])).toBe(true);
  });

  test('a process that follows says so as long as it does', async () => {
    const follower = await follow();
    await known(follower);
    const left = () => follower.redis.run((client) => client.pExpireTime(`${key}:followed`));
    const first = await left();
    await expect.poll(left, patience).toBeGreaterThan(first);
    expect((await left()) - Date.now()).toBeLessThanOrEqual(1_500);
  });

  test('a change of very many tags is one of everything', async () => {
    const [writer, reader] = await Promise.all([follow(), follow()]);
    const since = await known(reader);
    await writer.log.append(Array.from({ length: 6_000 }, (_, index) => `tag-${index}`));
    await known(reader);
    expect(reader.told).toEqual(['all']);
    expect(reader.log.hasChangedSince(since, ['x'])).toBe(true);
  });
});
