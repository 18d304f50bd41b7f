import { setImmediate as nextLoop } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { type Admission, type AdmissionOptions, createAdmission } from './admission.ts';
import { createListener, listen } from './listener.ts';
import { exchange, rawPost } from './testing-socket.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function block(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

/** A server whose GraphQL answers when told to. */
async function serve(options: Partial<Omit<AdmissionOptions, 'registry'>>) {
  const registry = new Registry();
  const admission = createAdmission({
    maxInFlight: 1_000,
    maxEventLoopDelayMs: 60_000,
    isDatabaseFull: () => false,
    ...options,
    registry,
  });
  const waiting: (() => void)[] = [];
  const listener = createListener({
    graphql: (_request, response) => waiting.push(() => response.end('{"data":{}}')),
    readiness: async () => ({ isReady: true, details: {} }),
    registry,
    servesMetrics: true,
    admission,
  });
  const { server, port } = await listen(listener, '127.0.0.1', 0);
  ends.push(() => {
    admission.close();
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${port}`;
  const post = () => fetch(`${origin}/graphql`, { method: 'POST', body: '{}' });
  return { admission, waiting, origin, port, registry, post };
}

const calm = (admission: Admission) =>
  expect
    .poll(
      () => {
        const isCalm = admission.enter() === null;
        if (isCalm) admission.leave();
        return isCalm;
      },
      { interval: 20, timeout: 1_000 },
    )
    .toBe(true);

describe('too many requests at work', () => {
  test('are refused at once, with what a client needs to try again', async () => {
    const { waiting, post, registry, origin } = await serve({ maxInFlight: 2 });
    const admitted = [post(), post()];
    await expect.poll(() => waiting.length).toBe(2);
    const refused = await post();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.json()).toEqual({
      errors: [
        {
          message: expect.any(String),
          extensions: { code: 'OVERLOADED', retryAfterSeconds: 1, requestId: refused.headers.get('x-request-id') },
        },
      ],
    });
    const { headers } = await fetch(`${origin}/graphql?query=%7B__typename%7D`, {
      headers: { accept: 'application/graphql-response+json, application/json;q=0.9' },
    });
    expect(headers.get('content-type')).toBe('application/graphql-response+json; charset=utf-8');
    expect(refused.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const text = await (await fetch(`${origin}/metrics`)).text();
    expect(text).toContain('tributary_requests_in_flight 2');
    expect(text).toContain('tributary_shed_total{reason="in_flight"} 2');
    for (const path of ['/healthz', '/readyz']) expect((await fetch(`${origin}${path}`)).status).toBe(200);
    for (const answer of waiting) answer();
    for (const { status } of await Promise.all(admitted)) expect(status).toBe(200);
    const next = post();
    await expect.poll(() => waiting.length).toBe(3);
    waiting[2]!();
    expect((await next).status).toBe(200);
    expect(await registry.metrics()).toContain('tributary_requests_in_flight 0');
  });

  test('leave their connection usable', async () => {
    const { waiting, post, port } = await serve({ maxInFlight: 1 });
    const admitted = post();
    await expect.poll(() => waiting.length).toBe(1);
    const refused = rawPost('x'.repeat(100_000));
    const text = await exchange(
      port,
      `${refused}${refused}GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    );
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['503', '503', '200']);
    waiting[0]!();
    await admitted;
  });

  test('give their place back when their client goes away', async () => {
    const { waiting, origin, registry } = await serve({ maxInFlight: 5 });
    const client = new AbortController();
    const gone = Array.from({ length: 5 }, () =>
      fetch(`${origin}/graphql`, { method: 'POST', body: '{}', signal: client.signal }).catch(() => 'gone'),
    );
    await expect.poll(() => waiting.length).toBe(5);
    client.abort();
    await Promise.all(gone);
    await expect.poll(() => registry.metrics()).toContain('tributary_requests_in_flight 0');
  });
});

test('a database that refuses new work is not asked', async () => {
  let isFull = true;
  const { waiting, post, registry } = await serve({ isDatabaseFull: () => isFull });
  expect((await post()).status).toBe(503);
  expect(await registry.metrics()).toContain('tributary_shed_total{reason="database_queue"} 1');
  isFull = false;
  const next = post();
  await expect.poll(() => waiting.length).toBe(1);
  waiting[0]!();
  expect((await next).status).toBe(200);
});

describe('an event loop that is late', () => {
  test('sheds from the first moment, and lets in again within a second', async () => {
    const { admission, registry } = await serve({ maxEventLoopDelayMs: 200 });
    expect(admission.enter()).toBeNull();
    block(400);
    expect(admission.enter()).toBe('event_loop_delay');
    await nextLoop();
    await calm(admission);
    expect(await registry.metrics()).toMatch(/tributary_shed_total\{reason="event_loop_delay"\} [1-9]/);
  });

  test('does not shed for less than the limit', async () => {
    const { admission } = await serve({ maxEventLoopDelayMs: 1_000 });
    block(300);
    expect(admission.enter()).toBeNull();
    await nextLoop();
    expect(admission.enter()).toBeNull();
  });

  test('does not flap: one quick turn is not enough to let in again', async () => {
    const { admission } = await serve({ maxEventLoopDelayMs: 200 });
    block(400);
    const startedAt = performance.now();
    await calm(admission);
    // Two samples of 100 ms in a row must have been in time.
    expect(performance.now() - startedAt).toBeGreaterThan(150);
  });

  test('answers health, readiness and metrics all the same', async () => {
    const { origin, post } = await serve({ maxEventLoopDelayMs: 1 });
    const busy = setInterval(() => block(60), 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    try {
      expect((await post()).status).toBe(503);
      for (const path of ['/healthz', '/readyz', '/metrics'])
        expect((await fetch(`${origin}${path}`)).status).toBe(200);
    } finally {
      clearInterval(busy);
    }
  });
});
