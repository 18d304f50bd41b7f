import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { afterEach, describe, expect, test } from 'vitest';
import type { Quota, RateLimits } from '../../config.ts';
import { createRedis, type Redis } from '../../redis/client.ts';
import { findFreePort } from '../../testing/free-port.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../../testing/test-redis.ts';
import { createRateLimiter } from './rate-limiter.ts';

/** Points are with Redis after this: the interval, the command, and time for a slow machine. */
const settledMs = 300;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function limiter(rateLimits: RateLimits, redis: Redis | null = null) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const registry = new Registry();
  return { ...createRateLimiter({ rateLimits, redis, log, registry }), registry, lines };
}

function quota(points: number, windowSeconds = 60, isWarnOnly = false): Quota {
  return { points, windowSeconds, isWarnOnly };
}

const request = (points: number, viewerKey: string | null = 'o:u', address = '192.0.2.1') => ({
  viewerKey,
  address,
  points,
});

/** What lives, after a collection. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

async function until(isTrue: () => Promise<boolean> | boolean, what: string): Promise<number> {
  const beganAtMs = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - beganAtMs > 10_000) throw new Error(`not after 10 s: ${what}`);
    await delay(5);
  }
  return performance.now() - beganAtMs;
}

describe('in one process', () => {
  test('points are weighted, and a refused key stays refused', () => {
    const { consume } = limiter({ viewer: quota(100), address: null });
    expect(consume(request(60))).toMatchObject({ isAllowed: true, limit: 100, remaining: 40, retryAfterSeconds: 0 });
    expect(consume(request(40))).toMatchObject({ isAllowed: true, remaining: 0, resetSeconds: 60 });
    expect(consume(request(1))).toMatchObject({ isAllowed: false, remaining: 0, retryAfterSeconds: 60 });
    expect(consume(request(1, 'o:other'))).toMatchObject({ isAllowed: true, remaining: 99 });
  });

  test('the tighter of two quotas speaks, and the refusing one before it', () => {
    const { consume } = limiter({ viewer: quota(100), address: quota(150) });
    expect(consume(request(90))).toMatchObject({ quota: 'viewer', remaining: 10 });
    expect(consume(request(50, 'o:other'))).toMatchObject({ quota: 'address', remaining: 10 });
    expect(consume(request(20, 'o:third'))).toMatchObject({ quota: 'address', isAllowed: false });
    expect(consume(request(1, null, '192.0.2.2'))).toMatchObject({ quota: 'address', isAllowed: true });
  });

  test('a viewer over its quota does not use up the address of others', () => {
    const { consume } = limiter({ viewer: quota(100), address: quota(100_000) });
    for (let i = 0; i < 10; i++) consume(request(20_000));
    expect(consume(request(1, null))).toMatchObject({ quota: 'address', remaining: 100_000 - 10 * 20 - 1 });
  });

  test('a window ends, and the next begins full', async () => {
    const { consume, refusal } = limiter({ viewer: null, address: quota(10, 1) });
    expect(consume(request(11))).toMatchObject({ isAllowed: false, retryAfterSeconds: 1 });
    expect(refusal('192.0.2.1')).toMatchObject({ isAllowed: false });
    await delay(1_050);
    expect(refusal('192.0.2.1')).toBeNull();
    expect(consume(request(1))).toMatchObject({ isAllowed: true, remaining: 9 });
  });

  test('failed requests make an address known as over its quota', () => {
    const { charge, refusal } = limiter({ viewer: null, address: quota(50) });
    for (const remaining of [30, 10, 0]) {
      expect(refusal('192.0.2.1')).toBeNull();
      expect(charge('192.0.2.1', 20)).toMatchObject({ remaining });
    }
    expect(refusal('192.0.2.1')).toMatchObject({ isAllowed: false, quota: 'address' });
  });

  test('warn only: passes, counts each and logs the first', async () => {
    const { consume, refusal, registry, lines } = limiter({ viewer: quota(1, 60, true), address: quota(1, 60, true) });
    for (let i = 0; i < 5; i++) expect(consume(request(1))?.isAllowed).toBe(true);
    expect(refusal('192.0.2.1')).toBeNull();
    const text = await registry.metrics();
    expect(text).toContain('tributary_rate_limited_total{quota="viewer",mode="warned"} 4');
    expect(text).toContain('tributary_rate_limited_total{quota="address",mode="warned"} 4');
    expect(lines.map(({ quota: name, mode }) => [name, mode])).toEqual([
      ['viewer', 'warned'],
      ['address', 'warned'],
    ]);
  });

  test('refusals are counted, and logged once a window', async () => {
    const { consume, registry, lines } = limiter({ viewer: quota(1), address: null });
    for (let i = 0; i < 5; i++) consume(request(1));
    expect(await registry.metrics()).toContain('tributary_rate_limited_total{quota="viewer",mode="refused"} 4');
    expect(lines).toMatchObject([{ quota: 'viewer', key: 'o:u', mode: 'refused', points: 1 }]);
  });

  test('no quotas, no answers', () => {
    const { consume, charge, refusal } = limiter({ viewer: null, address: null });
    expect([consume(request(1e9)), charge('192.0.2.1', 20), refusal('192.0.2.1')]).toEqual([null, null, null]);
  });

  test('hostile keys and costs are keys and costs like others', () => {
    const { consume } = limiter({ viewer: quota(10), address: null });
    for (const key of ['__proto__', 'constructor', 'a\nb', '\u0000', '', 'x'.repeat(100_000)]) {
      expect(consume(request(3, key))).toMatchObject({ remaining: 7 });
      expect(consume(request(3, key))).toMatchObject({ remaining: 4 });
    }
    for (const [cost, remaining] of [
      [0, 9],
      [-5, 9],
      [Number.NaN, 9],
      [0.1, 9],
      [2.5, 7],
    ] as const) {
      expect(consume(request(cost, `cost ${cost}`))).toMatchObject({ remaining });
    }
    expect(consume(request(Number.POSITIVE_INFINITY, 'o:infinite'))).toMatchObject({ isAllowed: false });
  });

  test('a flood of addresses does not grow without bound, and forgets nobody who is there', () => {
    const { consume } = limiter({ viewer: null, address: quota(10) });
    const beforeBytes = heapBytes();
    for (let i = 0; i < 400_000; i++) consume(request(1, null, `flood-${i}`));
    // 100,000 keys at most; all 400,000 take 63 MB.
    expect(heapBytes() - beforeBytes).toBeLessThan(40 * 1024 * 1024);
    expect(consume(request(1, null, 'flood-399999'))).toMatchObject({ remaining: 8 });
  });
});

describe.skipIf(!hasRedisServer())('shared through Redis', () => {
  async function startServer(port?: number): Promise<TestRedis> {
    const server = await startTestRedis(port);
    closers.push(server.stop);
    return server;
  }

  /** As another process would have: a connection and counts of its own. */
  function processOn(url: string, rateLimits: RateLimits) {
    const redis = createRedis({ url, log: pino({ level: 'silent' }), registry: new Registry() });
    closers.push(redis.close);
    return { ...limiter(rateLimits, redis), redis };
  }

  test('one process gives the answers of a command for each request', async () => {
    const server = await startServer();
    const { consume, redis } = processOn(server.url, { viewer: quota(500), address: null });
    await until(() => redis.isUp, 'connected');
    const options = {
      storeClient: redis.client,
      useRedisPackage: true,
      keyPrefix: 'reference',
      points: 500,
      duration: 60,
    };
    const reference = new RateLimiterRedis(options);
    for (let i = 0; i < 150; i++) {
      const [key, points] = [`o:u${i % 3}`, 1 + ((i * 7) % 23)];
      const expected = await reference.consume(key, points).then(
        ({ remainingPoints }) => ({ isAllowed: true, remaining: remainingPoints }),
        () => ({ isAllowed: false, remaining: 0 }),
      );
      expect(consume(request(points, key))).toMatchObject(expected);
      await delay(5);
    }
  });

  test('two processes share a quota within the points of one settling interval', async () => {
    const server = await startServer();
    const processes = [1, 2].map(() => processOn(server.url, { viewer: null, address: quota(3_000) }));
    await until(() => processes.every(({ redis }) => redis.isUp), 'connected');
    const passed: { atMs: number; points: number; by: number }[] = [];
    for (let refusals = 0; refusals < 50; await delay(1)) {
      for (const [by, { consume }] of processes.entries()) {
        if (consume(request(10))?.isAllowed) passed.push({ atMs: performance.now(), points: 10, by });
        else refusals++;
      }
    }
    const total = passed.reduce((sum, { points }) => sum + points, 0);
    // What one process let through in its last interval (100 ms, and the time of a command on a slow machine).
    const lastMs = passed.at(-1)!.atMs - settledMs;
    const unseen = passed
      .filter(({ atMs, by }) => by === 0 && atMs > lastMs)
      .reduce((sum, { points }) => sum + points, 0);
    console.info(`quota 3000, two processes: ${total} points passed`);
    expect(total).toBeGreaterThanOrEqual(2_980);
    expect(total).toBeLessThanOrEqual(3_000 + unseen);
    expect(new Set(passed.map(({ by }) => by)).size).toBe(2);
  });

  test('keys are readable, live as long as their window, and are not sent again when nothing comes', async () => {
    const server = await startServer();
    const { consume, redis } = processOn(server.url, { viewer: quota(100, 7), address: quota(100, 9) });
    await until(() => redis.isUp, 'connected');
    for (let i = 0; i < 10; i++) consume(request(3));
    await delay(settledMs);
    expect((await redis.client.keys('*')).sort()).toEqual(['rate:address:192.0.2.1', 'rate:viewer:o:u']);
    expect(await redis.client.get('rate:viewer:o:u')).toBe('30');
    expect(await redis.client.pTTL('rate:viewer:o:u')).toBeGreaterThan(6_000);
    expect(await redis.client.pTTL('rate:address:192.0.2.1')).toBeGreaterThan(8_000);
    const calls = async () => /cmdstat_eval:calls=(\d+)/.exec(await redis.client.info('commandstats'))![1];
    expect(await calls()).toBe('2');
    await delay(settledMs);
    expect(await calls()).toBe('2');
  });

  test('what one process learns as over the quota, all refuse until the window ends', async () => {
    const server = await startServer();
    const [a, b] = [1, 2].map(() => processOn(server.url, { viewer: null, address: quota(100, 2) })) as [
      ReturnType<typeof processOn>,
      ReturnType<typeof processOn>,
    ];
    await until(() => a.redis.isUp && b.redis.isUp, 'connected');
    a.consume(request(101));
    b.consume(request(1));
    await until(() => b.refusal('192.0.2.1') !== null, 'b refuses');
    const tookMs = await until(() => b.refusal('192.0.2.1') === null, 'the window ends');
    expect(tookMs).toBeLessThan(4_000);
    expect(b.consume(request(1))).toMatchObject({ isAllowed: true, remaining: 99 });
  });

  test('Redis killed, then back: the counts of the process hold, and go there', async () => {
    const server = await startServer();
    const { consume, redis } = processOn(server.url, { viewer: quota(100), address: null });
    await until(() => redis.isUp, 'connected');
    expect(consume(request(50))).toMatchObject({ remaining: 50 });
    await delay(settledMs);
    // Some points are under way when it dies, the others come while it is dead.
    server.freeze();
    expect(consume(request(10))).toMatchObject({ isAllowed: true, remaining: 40 });
    await delay(settledMs);
    await server.kill();
    await until(() => !redis.isUp, 'noticed');
    expect(consume(request(20))).toMatchObject({ isAllowed: true, remaining: 20 });
    await delay(settledMs);
    await server.start();
    const tookMs = await until(
      async () => (await redis.client.get('rate:viewer:o:u').catch(() => null)) === '30',
      'settled',
    );
    console.info(`killed and started: points settled ${tookMs.toFixed(0)} ms after its return`);
    expect(tookMs).toBeLessThan(2_000);
    // The new Redis knows less than this process, which has forgotten nothing.
    expect(consume(request(20))).toMatchObject({ isAllowed: true, remaining: 0 });
    await delay(settledMs);
    expect(consume(request(1))).toMatchObject({ isAllowed: false });
  });

  test.each([500, 3_000])('Redis frozen for %i ms: nothing waits, and points settle after', async (frozenMs) => {
    const server = await startServer();
    const { consume, redis } = processOn(server.url, { viewer: quota(1e6), address: null });
    await until(() => redis.isUp, 'connected');
    consume(request(1));
    await delay(settledMs);
    server.freeze();
    const untilMs = performance.now() + frozenMs;
    let points = 1;
    for (; performance.now() < untilMs; points++) {
      expect(consume(request(1))).toMatchObject({ isAllowed: true, remaining: 1e6 - points - 1 });
      await delay(2);
    }
    server.thaw();
    const totalOf = async () => Number((await redis.client.get('rate:viewer:o:u').catch(() => null)) ?? 0);
    const tookMs = await until(async () => (await totalOf()) >= points, 'settled');
    const total = await totalOf();
    console.info(`frozen for ${frozenMs} ms: ${points} points, Redis has ${total}, ${tookMs.toFixed(0)} ms after`);
    expect(tookMs).toBeLessThan(2_000);
    // Only the command that was under way when the connection was given up can count twice.
    expect(total - points).toBeLessThan(settledMs);
  });

  test('Redis that starts after the process gets its points', async () => {
    const port = await findFreePort();
    const { consume, redis } = processOn(`redis://127.0.0.1:${port}`, { viewer: quota(100), address: null });
    expect(consume(request(70))).toMatchObject({ isAllowed: true, remaining: 30 });
    await delay(settledMs);
    await startServer(port);
    const tookMs = await until(
      async () => (await redis.client.get('rate:viewer:o:u').catch(() => null)) === '70',
      'settled',
    );
    expect(tookMs).toBeLessThan(2_000);
  });

  test('a key that Redis refuses does not stop the others', async () => {
    const server = await startServer();
    const { consume, redis } = processOn(server.url, { viewer: quota(100), address: null });
    await until(() => redis.isUp, 'connected');
    await redis.client.hSet('rate:viewer:o:bad', 'field', 'value');
    consume(request(1, 'o:bad'));
    consume(request(1, 'o:good'));
    await until(async () => (await redis.client.get('rate:viewer:o:good')) === '1', 'the good one settled');
    expect(consume(request(100, 'o:bad'))).toMatchObject({ isAllowed: false });
  });
});
