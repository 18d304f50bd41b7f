import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSchema, createYoga, type YogaInitialContext } from 'graphql-yoga';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import type { Quota, RateLimits } from '../../config.ts';
import type { Viewer } from '../../context.ts';
import { unauthenticated } from '../../errors.ts';
import { maskError, useErrorCodes } from '../use-error-codes.ts';
import { createRateLimiter } from './rate-limiter.ts';
import { useRateLimit } from './use-rate-limit.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const log = pino({ level: 'silent' });

function quota(points: number, windowSeconds = 60, isWarnOnly = false): Quota {
  return { points, windowSeconds, isWarnOnly };
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: { data?: unknown; errors?: { message: string; extensions: Record<string, unknown> }[] };
}

interface Call {
  query?: string;
  body?: string;
  headers?: Record<string, string | string[]>;
  method?: string;
}

/** A server over a real socket; `parsed` and `executed` count how far requests came. */
async function serve(rateLimits: RateLimits, { trustedProxies = 0, cost = 10 } = {}) {
  const registry = new Registry();
  const reached = { parsed: 0, executed: 0 };
  const schema = createSchema<YogaInitialContext & { viewer: Viewer | null }>({
    typeDefs: 'type Query { a: String, fails: String }',
    resolvers: {
      Query: {
        a: () => {
          reached.executed++;
          return 'x';
        },
        fails: () => Promise.reject(new Error('a secret')),
      },
    },
  });
  const yoga = createYoga({
    schema,
    logging: false,
    maskedErrors: { maskError },
    context: ({ request }): { viewer: Viewer | null } => {
      const user = request.headers.get('authorization');
      if (user === 'bad') throw unauthenticated();
      return { viewer: user === null ? null : { organizationId: 'o', userId: user, scopes: ['read'] } };
    },
    plugins: [
      useRateLimit({
        rateLimiter: createRateLimiter({ rateLimits, redis: null, log, registry }),
        trustedProxies,
        costOf: () => cost,
      }),
      { onRequestParse: () => void reached.parsed++ },
      useErrorCodes(log),
    ],
  });
  const server = createServer(yoga).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { registry, reached, call: (call: Call = {}) => send(port, call) };
}

/** By node:http, since fetch writes no header twice. */
async function send(port: number, { query = '{ a }', body, headers = {}, method = 'POST' }: Call): Promise<Answer> {
  const outgoing = httpRequest({
    port,
    host: '127.0.0.1',
    path: '/graphql',
    method,
    headers: { 'content-type': 'application/json', ...headers },
  });
  outgoing.end(method === 'POST' ? (body ?? JSON.stringify({ query })) : undefined);
  const [response] = await once(outgoing, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : {} };
}

describe('useRateLimit', () => {
  test('says on each answer how the client stands with the tighter quota', async () => {
    const { call } = await serve({ viewer: quota(100), address: quota(150, 30) });
    const first = await call({ headers: { authorization: 'u' } });
    expect(first).toMatchObject({ status: 200, body: { data: { a: 'x' } } });
    expect(first.headers['ratelimit-policy']).toBe('"viewer";q=100;w=60');
    expect(first.headers.ratelimit).toBe('"viewer";r=90;t=60');
    expect(first.headers['retry-after']).toBeUndefined();
    const anonymous = await call();
    expect(anonymous.headers['ratelimit-policy']).toBe('"address";q=150;w=30');
    expect(anonymous.headers.ratelimit).toBe('"address";r=130;t=30');
  });

  test.each([['application/json'], ['application/graphql-response+json']])(
    'over quota with %s: 429, nothing is executed',
    async (accept) => {
      const { call, reached, registry } = await serve({ viewer: quota(20), address: null });
      const headers = { authorization: 'u', accept };
      for (let i = 0; i < 2; i++) expect((await call({ headers })).status).toBe(200);
      const refused = await call({ headers });
      expect(refused.status).toBe(429);
      expect(refused.headers['retry-after']).toBe('60');
      expect(refused.headers.ratelimit).toBe('"viewer";r=0;t=60');
      expect(refused.body).toMatchObject({
        errors: [
          {
            message: 'Too many requests: try again in 60 s',
            extensions: { code: 'RATE_LIMITED', retryAfterSeconds: 60 },
          },
        ],
      });
      expect(reached.executed).toBe(2);
      expect((await call({ headers: { authorization: 'other' } })).status).toBe(200);
      expect(await registry.metrics()).toContain('tributary_rate_limited_total{quota="viewer",mode="refused"} 1');
    },
  );

  test('an address over its quota is refused before its body is read, whoever asks', async () => {
    const { call, reached } = await serve({ viewer: null, address: quota(15) });
    for (let i = 0; i < 2; i++) await call();
    const { parsed } = reached;
    const refused = await call({ body: 'not even JSON', headers: { authorization: 'u' } });
    expect(refused).toMatchObject({
      status: 429,
      headers: { 'retry-after': '60' },
    });
    expect(refused.body.errors?.[0]?.extensions).toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: 60 });
    expect(reached).toEqual({ parsed, executed: 1 });
    expect((await call({ method: 'OPTIONS' })).status).not.toBe(429);
  });

  test.each<[string, Call]>([
    ['a bad token', { headers: { authorization: 'bad' } }],
    ['a document that does not parse', { query: '{' }],
    ['a document that is not valid', { query: '{ nothing }' }],
    ['an operation that is not there', { body: JSON.stringify({ query: 'query A { a }', operationName: 'B' }) }],
    ['a body that is no JSON', { body: '{' }],
    ['no document', { body: '{}' }],
    ['another content type', { headers: { 'content-type': 'text/plain' } }],
    ['a method that is not served', { method: 'DELETE' }],
  ])('%s costs the address 20 points', async (_what, failing) => {
    for (const accept of ['application/json', 'application/graphql-response+json']) {
      const { call, reached } = await serve({ viewer: quota(1_000), address: quota(30) });
      const first = await call({ ...failing, headers: { accept, ...failing.headers } });
      expect(first.body.errors ?? first.status).not.toBe(200);
      expect(first.headers.ratelimit).toBe('"address";r=10;t=60');
      await call(failing);
      expect((await call()).status).toBe(429);
      expect(reached.executed).toBe(0);
    }
  });

  test('a field that fails has been charged for, and is not charged again', async () => {
    const { call } = await serve({ viewer: null, address: quota(100) });
    expect((await call({ query: '{ fails }' })).headers.ratelimit).toBe('"address";r=90;t=60');
  });

  test('warn only: passes and counts', async () => {
    const { call, registry, reached } = await serve({ viewer: quota(10, 60, true), address: quota(10, 60, true) });
    for (let i = 0; i < 3; i++) {
      const { status, headers } = await call({ headers: { authorization: 'u' } });
      expect([status, headers['retry-after']]).toEqual([200, undefined]);
    }
    expect(reached.executed).toBe(3);
    const text = await registry.metrics();
    expect(text).toContain('tributary_rate_limited_total{quota="viewer",mode="warned"} 2');
    expect(text).toContain('tributary_rate_limited_total{quota="address",mode="warned"} 2');
  });

  test('no quotas, no headers', async () => {
    const { call } = await serve({ viewer: null, address: null });
    const { headers } = await call({ headers: { authorization: 'u' } });
    expect([headers.ratelimit, headers['ratelimit-policy']]).toEqual([undefined, undefined]);
  });

  test('a client cannot get a fresh quota by X-Forwarded-For', async () => {
    const direct = await serve({ viewer: null, address: quota(25) });
    for (const spoofed of ['1.1.1.1', '2.2.2.2', '3.3.3.3']) {
      await direct.call({ headers: { 'x-forwarded-for': spoofed } });
    }
    expect((await direct.call({ headers: { 'x-forwarded-for': '4.4.4.4' } })).status).toBe(429);

    const behindProxy = await serve({ viewer: null, address: quota(25) }, { trustedProxies: 1 });
    const from = (...entries: string[]) => behindProxy.call({ headers: { 'x-forwarded-for': entries } });
    await from('1.1.1.1', '203.0.113.9');
    await from('2.2.2.2, 203.0.113.9');
    await from(`${'3.3.3.3, '.repeat(1_000)}203.0.113.9`);
    expect((await from('4.4.4.4', '203.0.113.9')).status).toBe(429);
    expect((await from('203.0.113.9', '203.0.113.10')).status).toBe(200);
    // No address there: whoever is at the socket pays.
    for (let i = 0; i < 3; i++) await from('__proto__');
    expect((await from('constructor')).status).toBe(429);
  });

  test('viewers with hostile ids have quotas of their own', async () => {
    const { call } = await serve({ viewer: quota(15), address: null });
    for (const authorization of ['__proto__', 'constructor', 'x'.repeat(8_000), 'a:b']) {
      expect((await call({ headers: { authorization } })).headers.ratelimit).toBe('"viewer";r=5;t=60');
      expect((await call({ headers: { authorization } })).status).toBe(429);
    }
  });
});
