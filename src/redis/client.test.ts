import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { findFreePort } from '../testing/free-port.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';
import { createRedis, type Redis, type RedisFailure, RedisUnavailable } from './client.ts';

/** What the issue allows between the return of a part and ours. */
const recoveryMs = 2_000;
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function startServer(port?: number): Promise<TestRedis> {
  const server = await startTestRedis(port);
  open.push(server.stop);
  return server;
}

function connect(url: string) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const registry = new Registry();
  const redis = createRedis({ url, log, registry });
  open.push(redis.close);
  return { redis, registry, lines };
}

/** Milliseconds until Redis answers, or a failed test. */
async function timeToAnswer(redis: Redis): Promise<number> {
  const beganAtMs = performance.now();
  for (;;) {
    const isBack = await redis
      .run((client) => client.ping())
      .then(
        () => true,
        () => false,
      );
    const tookMs = performance.now() - beganAtMs;
    if (isBack) return tookMs;
    if (tookMs > 10_000) throw new Error('Redis did not come back in 10 s');
    await delay(5);
  }
}

async function failureOf(work: Promise<unknown>): Promise<{ reason: RedisFailure; tookMs: number }> {
  const beganAtMs = performance.now();
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RedisUnavailable);
  return { reason: (error as RedisUnavailable).reason, tookMs: performance.now() - beganAtMs };
}

async function metric(registry: Registry, line: string): Promise<number> {
  const found = (await registry.metrics()).split('\n').find((text) => text.startsWith(`${line} `));
  return Number(found?.split(' ').at(-1) ?? 0);
}

describe.skipIf(!hasRedisServer())('the Redis client', () => {
  test('a process starts without Redis, and finds it when it comes', async () => {
    const port = await findFreePort();
    const { redis, registry, lines } = connect(`redis://127.0.0.1:${port}`);
    await delay(1_500);
    expect(await failureOf(redis.run((client) => client.ping()))).toMatchObject({ reason: 'offline' });
    expect(redis.isUp).toBe(false);
    expect(await metric(registry, 'tributary_redis_up')).toBe(0);
    await startServer(port);
    expect(await timeToAnswer(redis)).toBeLessThan(recoveryMs);
    expect(await metric(registry, 'tributary_redis_up')).toBe(1);
    // Many tries, one line for each change.
    expect(lines.map((line) => line.msg)).toEqual([
      'Redis is away: this process goes on without it',
      'connected to Redis',
    ]);
    expect(lines[0]).toMatchObject({ reason: 'ECONNREFUSED' });
  });

  test('kill -9 under way: commands fail at once, and work again after its return', async () => {
    const server = await startServer();
    const { redis } = connect(server.url);
    await timeToAnswer(redis);
    const underWay = Promise.allSettled(
      Array.from({ length: 500 }, (_, i) => redis.run((client) => client.incrBy(`key-${i}`, 1))),
    );
    await server.kill();
    await underWay;
    await delay(100);
    for (let i = 0; i < 100; i++) {
      const { reason, tookMs } = await failureOf(redis.run((client) => client.ping()));
      expect(reason).toBe('offline');
      expect(tookMs).toBeLessThan(1_000);
    }
    await delay(1_500);
    await server.start();
    expect(await timeToAnswer(redis)).toBeLessThan(recoveryMs);
  });

  // 900 ms: the connection lasts. 4 s: it is given up, and new ones connect to a server that does not speak.
  test.each([900, 4_000])('frozen for %i ms: the first few wait, no others', async (frozenMs) => {
    const server = await startServer();
    const { redis, registry } = connect(server.url);
    await timeToAnswer(redis);
    server.freeze();
    const untilMs = performance.now() + frozenMs;
    let waited = 0;
    let asked = 0;
    while (performance.now() < untilMs) {
      const { reason, tookMs } = await failureOf(redis.run((client) => client.ping()));
      expect(tookMs).toBeLessThan(1_000);
      asked++;
      waited += reason === 'timeout' ? 1 : 0;
      await delay(2);
    }
    expect(asked).toBeGreaterThan(frozenMs / 50);
    // Three until the breaker opens, and one probe at most for each 1.2 s.
    expect(waited).toBeGreaterThanOrEqual(3);
    expect(waited).toBeLessThanOrEqual(3 + Math.ceil(frozenMs / 1_200));
    expect(await metric(registry, 'tributary_redis_up')).toBe(0);
    expect(await metric(registry, 'tributary_redis_failures_total{reason="timeout"}')).toBe(waited);
    server.thaw();
    const tookMs = await timeToAnswer(redis);
    console.info(`frozen for ${frozenMs} ms: ${asked} asked, ${waited} waited; back ${tookMs.toFixed(0)} ms after`);
    expect(tookMs).toBeLessThan(recoveryMs);
  });

  test('a connection that went silent is given up for a new one', async () => {
    const server = await startServer();
    const sockets: Socket[] = [];
    const proxy = createServer((socket) => {
      const behind = connectSocket(Number(new URL(server.url).port), '127.0.0.1');
      socket.pipe(behind).pipe(socket);
      for (const each of [socket, behind]) sockets.push(each.on('error', () => undefined));
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    open.push(() => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    });
    const { redis } = connect(`redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    await timeToAnswer(redis);
    for (const socket of sockets) socket.unpipe();
    const tookMs = await timeToAnswer(redis);
    console.info(`a silent connection was replaced after ${tookMs.toFixed(0)} ms`);
    expect(tookMs).toBeLessThan(recoveryMs);
  });

  test('only one command probes a Redis that did not answer', async () => {
    const server = await startServer();
    const { redis } = connect(server.url);
    await timeToAnswer(redis);
    server.freeze();
    for (let i = 0; i < 3; i++) await failureOf(redis.run((client) => client.ping()));
    // Thawed in time for the connection, not for the breaker.
    await delay(300);
    server.thaw();
    await delay(1_000);
    server.freeze();
    const inOrder: RedisFailure[] = [];
    const ask = async () => inOrder.push((await failureOf(redis.run((client) => client.ping()))).reason);
    await Promise.all(Array.from({ length: 50 }, ask));
    expect(inOrder).toEqual([...new Array<RedisFailure>(49).fill('open'), 'timeout']);
  });

  test('what waits for a frozen Redis is bounded', async () => {
    const server = await startServer();
    const { redis } = connect(server.url);
    await timeToAnswer(redis);
    server.freeze();
    const answers = await Promise.all(
      Array.from({ length: 12_000 }, () => failureOf(redis.run((client) => client.ping()))),
    );
    const full = answers.filter(({ reason }) => reason === 'full').length;
    expect(full).toBeGreaterThanOrEqual(2_000);
    expect(full).toBeLessThan(2_100);
  });

  test('an error that Redis answers with does not open the breaker', async () => {
    const server = await startServer();
    const { redis } = connect(server.url);
    await timeToAnswer(redis);
    await redis.run((client) => client.hSet('hash', 'field', 'value'));
    for (let i = 0; i < 10; i++) {
      expect(await failureOf(redis.run((client) => client.incr('hash')))).toMatchObject({ reason: 'refused' });
    }
    expect(redis.isUp).toBe(true);
  });

  test('a pause of this process does not count as silence of Redis', async () => {
    const server = await startServer();
    const { redis } = connect(server.url);
    await timeToAnswer(redis);
    const answer = redis.run((client) => client.ping());
    // The command is written in this step, and its answer comes in the pause.
    await new Promise((resolve) => setImmediate(resolve));
    const untilMs = performance.now() + 150;
    while (performance.now() < untilMs);
    expect(await answer).toBe('PONG');
  });

  test('a process that is short of its core gives Redis as many turns as another', async () => {
    const server = await startServer();
    const { redis } = connect(server.url);
    await timeToAnswer(redis);
    server.freeze();
    const answer = redis.run((client) => client.ping());
    // As long as the deadline, in three turns.
    for (let turn = 0; turn < 3; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      const untilMs = performance.now() + 90;
      while (performance.now() < untilMs);
    }
    server.thaw();
    expect(await answer).toBe('PONG');
  });

  test('the process ends after close(), whatever Redis does', async () => {
    const server = await startServer();
    server.freeze();
    for (const url of [server.url, 'redis://127.0.0.1:1', 'redis://192.0.2.1', 'redis://no-such-host.invalid']) {
      const script = `
        import { pino } from 'pino'; import { Registry } from 'prom-client';
        import { createRedis } from ${JSON.stringify(new URL('./client.ts', import.meta.url).href)};
        const redis = createRedis({ url: '${url}', log: pino({ level: 'silent' }), registry: new Registry() });
        await new Promise((resolve) => setTimeout(resolve, 300));
        await redis.run((client) => client.ping()).catch((error) => console.log(error.reason));
        redis.close(); redis.close();`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const beganAtMs = performance.now();
      let text = '';
      child.stdout.on('data', (data) => (text += data));
      const [code] = await once(child, 'exit');
      expect([url, code, text.trim()]).toEqual([url, 0, 'offline']);
      expect(performance.now() - beganAtMs).toBeLessThan(10_000);
    }
  });

  test('a URL that names no server is refused without repeating its password', () => {
    for (const url of ['redis://user:secret@host/not-a-number', 'redis://us%:secret@host']) {
      expect(() => connect(url)).toThrow('REDIS_URL is the value given: expected redis://');
    }
  });
});
