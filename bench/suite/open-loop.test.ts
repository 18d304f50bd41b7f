import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { OpenLoop, type RequestEnd } from './open-loop.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const text = 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n';

async function loadOf(listener: RequestListener, options: { maxConnections?: number; timeoutMs?: number } = {}) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const loop = new OpenLoop({ port, maxConnections: 4, timeoutMs: 2_000, ...options });
  ends.push(
    () => loop.close(),
    () => server.close(),
    () => server.closeAllConnections(),
  );
  const requests: RequestEnd[] = [];
  return {
    requests,
    run: (phases: { rate: number; seconds: number }[], onNext = () => {}) =>
      loop.run(phases, () => {
        onNext();
        return { text, onEnd: (end) => requests.push(end) };
      }),
  };
}

test('each phase has as many requests as its rate and time say, and answers come whole, in chunks or not', async () => {
  let asked = 0;
  const { requests, run } = await loadOf((_request, response) => {
    asked += 1;
    if (asked % 2 === 0) response.end('whole');
    else response.write('who', () => response.end('le'));
  });
  await run([
    { rate: 100, seconds: 0.2 },
    { rate: 300, seconds: 0.1 },
  ]);
  expect(asked).toBe(50);
  expect(requests.filter(({ dueMs }) => dueMs < 200)).toHaveLength(20);
  expect(requests.map(({ answer }) => `${answer?.status} ${answer?.body()}`)).toEqual(Array(50).fill('200 whole'));
});

test('a server that stands still is charged for all who wait, from when each was due', async () => {
  const standsStillMs = 300;
  let firstAtMs: number | null = null;
  const { requests, run } = await loadOf(
    (_request, response) => {
      firstAtMs ??= performance.now();
      setTimeout(() => response.end(), Math.max(0, firstAtMs + standsStillMs - performance.now()));
    },
    { maxConnections: 2 },
  );
  await run([{ rate: 100, seconds: 0.2 }]);
  // All were due before it went on: none can have been quicker than from then to its going on.
  const tooQuick = requests.filter(({ dueMs, latencyMs }) => latencyMs < standsStillMs - dueMs - 5);
  expect(requests).toHaveLength(20);
  expect(tooQuick).toEqual([]);
});

test('a load that is late itself is charged for it, too', async () => {
  const lateMs = 150;
  const { requests, run } = await loadOf((_request, response) => response.end());
  let isFirst = true;
  const { lateness } = await run([{ rate: 100, seconds: 0.2 }], () => {
    const untilMs = performance.now() + (isFirst ? lateMs : 0);
    isFirst = false;
    while (performance.now() < untilMs);
  });
  const tooQuick = requests.filter(({ dueMs, latencyMs }) => latencyMs < lateMs - dueMs);
  expect(requests).toHaveLength(20);
  expect(tooQuick).toEqual([]);
  expect(lateness.summary().maxMs).toBeGreaterThan(lateMs / 2);
});

test('who is not answered in time has timed out, sent or not, and the connection serves the next', async () => {
  let asked = 0;
  const { requests, run } = await loadOf(
    (_request, response) => {
      asked += 1;
      if (asked > 2) response.end();
    },
    { maxConnections: 1, timeoutMs: 100 },
  );
  await run([{ rate: 50, seconds: 0.5 }]);
  const timedOut = requests.filter(({ isTimedOut }) => isTimedOut);
  expect(requests).toHaveLength(25);
  // The first two at least, and who waited behind them for as long.
  expect(timedOut.length).toBeGreaterThanOrEqual(2);
  expect(requests.filter(({ answer }) => answer?.status === 200).length).toBe(25 - timedOut.length);
  expect(25 - timedOut.length).toBeGreaterThan(0);
});

test('those who have waited too long are given up together, however many', async () => {
  const { requests, run } = await loadOf(() => {}, { maxConnections: 1, timeoutMs: 100 });
  await run([{ rate: 60_000, seconds: 0.05 }]);
  expect(requests).toHaveLength(3_000);
  expect(requests.every(({ isTimedOut }) => isTimedOut)).toBe(true);
  // One by one, each a tick of a millisecond after the last, would take three seconds.
  expect(Math.max(...requests.map(({ latencyMs }) => latencyMs))).toBeLessThan(1_500);
});

test('an answer whose connection ends is lost, and the next one is not', async () => {
  let asked = 0;
  const { requests, run } = await loadOf((request, response) => {
    asked += 1;
    if (asked === 1) request.socket.destroy();
    else response.end();
  });
  await run([{ rate: 20, seconds: 0.25 }]);
  expect(requests.map(({ answer, isTimedOut }) => ({ status: answer?.status, isTimedOut }))).toEqual([
    { status: undefined, isTimedOut: false },
    ...Array(4).fill({ status: 200, isTimedOut: false }),
  ]);
});
