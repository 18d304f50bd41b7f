import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { OpenLoop } from './open-loop.ts';

const request = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
const ratePerSecond = 200;

test('all who wait for a server that stands still are charged from when they were to start', async () => {
  let answered = 0;
  const standsStillMs = 400;
  const port = await serve((answer) => {
    answered += 1;
    if (answered === 100) setTimeout(answer, standsStillMs);
    else answer();
  });
  // With one connection nobody else is answered in the meantime.
  const { latency, faults } = await new OpenLoop(port, 1).run(() => request, { rate: ratePerSecond, seconds: 1 });
  const { distributionMs } = latency.summary();
  const slowShare = 1 - distributionMs.find(([, ms]) => ms >= standsStillMs / 4)![0];
  expect(faults).toEqual({});
  // Those of 400 ms wait, 300 ms of them for 100 ms and more: 60 of 200. Counted from when they were sent it is one.
  expect(slowShare).toBeGreaterThan(0.2);
});

test('an answer that is not the expected one is a fault, whether or not it comes in chunks', async () => {
  let answered = 0;
  const port = await serve((answer) => {
    answered += 1;
    answer(['good', 'good', 'bad'][answered % 3]);
  });
  const loop = new OpenLoop(port, 4, (body) => body === 'good in two chunks');
  const { faults, answered: count } = await loop.run(() => request, { rate: 300, seconds: 0.1 });
  expect(count).toBe(30);
  expect(faults).toEqual({ 'another answer': 10 });
});

test('a server that is gone is a fault for each request', async () => {
  const port = await serve((_answer, socket) => socket.destroy());
  const { faults } = await new OpenLoop(port, 2).run(() => request, { rate: 100, seconds: 0.1 });
  expect(faults).toEqual({ 'connection closed': 10 });
});

type Handle = (answer: (text?: string) => void, socket: { destroy(): void }) => void;

async function serve(handle: Handle): Promise<number> {
  const server = createServer((_request, response) => {
    handle((text = 'good') => {
      response.write(`${text} in two`);
      response.end(' chunks');
    }, response.socket!);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
