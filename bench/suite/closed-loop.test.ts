import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { runClosedLoop, type Target } from './closed-loop.ts';

test('as many requests as wanted are sent and answered, each with its body', async () => {
  const bodies: string[] = [];
  const target = await serve((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      bodies.push(body);
      response.end('good');
    });
  });
  const { requests, latency, requestsPerSecond } = await runClosedLoop(target, 3, { requests: 10 });
  expect(requests).toBe(10);
  expect(bodies).toEqual(Array.from({ length: 10 }, () => 'what'));
  expect(latency.summary().distributionMs).toHaveLength(102);
  expect(requestsPerSecond).toBeGreaterThan(0);
});

test('each connection has its turn, however short the time', async () => {
  let begun = 0;
  // One after the other.
  const target = await serve((_request, response) => setTimeout(() => response.end('good'), 50 * ++begun));
  const { requests } = await runClosedLoop(target, 8, { seconds: 0.01 });
  expect(requests).toBeGreaterThanOrEqual(8);
});

test('another answer than the expected one fails it', async () => {
  let answered = 0;
  const target = await serve((_request, response) => response.end(++answered === 5 ? 'bad' : 'good'));
  await expect(runClosedLoop(target, 1, { requests: 10 })).rejects.toThrow(/1 not as expected, .* such as bad/);
});

test('an answer that is not 2xx fails it', async () => {
  const target = await serve((_request, response) => response.writeHead(503).end('good'));
  await expect(runClosedLoop(target, 1, { requests: 10 })).rejects.toThrow(/[1-9]\d* not 2xx/);
});

test('what is shed is counted by itself where that may be, and fails it elsewhere', async () => {
  let asked = 0;
  const target = await serve((_request, response) => {
    asked += 1;
    if (asked % 2 === 1) response.end('good');
    else response.writeHead(503).end('{"errors":[{"extensions":{"code":"OVERLOADED"}}]}');
  });
  const { requests, shed } = await runClosedLoop(target, 1, { requests: 10, mayShed: true });
  expect({ requests, shed }).toEqual({ requests: 5, shed: 5 });
  await expect(runClosedLoop(target, 1, { requests: 10 })).rejects.toThrow(/[1-9]\d* not 2xx/);
  const broken = await serve((_request, response) => response.writeHead(503).end('another reason'));
  await expect(runClosedLoop(broken, 1, { requests: 10, mayShed: true })).rejects.toThrow(/such as another reason/);
});

test('a server that is not there fails it', async () => {
  const target = await serve((_request, response) => response.end('good'));
  const nobody = { ...target, url: 'http://127.0.0.1:1/' };
  await expect(runClosedLoop(nobody, 1, { requests: 10 })).rejects.toThrow(/0 answers, .* [1-9]\d* errors/);
});

async function serve(listener: RequestListener): Promise<Target> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { pid: process.pid, url, method: 'POST', headers: {}, body: 'what', isExpected: (body) => body === 'good' };
}
