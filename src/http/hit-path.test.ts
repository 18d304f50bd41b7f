import { connect } from 'node:net';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerCache } from '../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../cache/invalidation-log.ts';
import type { Viewer } from '../context.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import { createFeatures, createOrganization } from '../testing/seed-builders.ts';
import { type ServedApp, serveApp } from '../testing/serve-app.ts';
import { createTestApp, type TestApp, viewerHeader } from '../testing/test-app.ts';
import { createRateLimiter } from './rate-limit/rate-limiter.ts';

let app: TestApp;
let cache: AnswerCache;
let served: ServedApp;
let id: string;
/** Requests that went the long way. */
let longWays = 0;

const countLongWays =
  (handler: TestApp['handler']): TestApp['handler'] =>
  (request, response) => {
    longWays += 1;
    return handler(request, response);
  };

beforeAll(async () => {
  cache = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 24 });
  app = await createTestApp({ cache });
  served = await serveApp(app, () => false, { graphql: countLongWays(app.handler), directPath: undefined });
  const [feature] = await createFeatures(app.database.pool, app.viewer, [{ name: 'One' }]);
  id = encodeGlobalId('Feature', feature!.id);
});

beforeEach(() => {
  longWays = 0;
});

afterAll(() => served.close());

const document = 'query One($id: ID!) { feature(id: $id) { name } }';

async function ask(init: { body?: object; url?: string; headers?: Record<string, string>; origin?: string } = {}) {
  const { url = '/graphql', body, headers = {}, origin = served.origin } = init;
  const response = await fetch(`${origin}${url}`, {
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
    headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
  });
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

const post = (variables: object = { id }, headers: Record<string, string> = {}) =>
  ask({ body: { query: document, variables }, headers });
const get = (headers: Record<string, string> = {}) =>
  ask({ url: `/graphql?${new URLSearchParams({ query: document, variables: JSON.stringify({ id }) })}`, headers });
const rename = (name: string) =>
  ask({
    body: {
      query:
        'mutation ($id: ID!, $name: String!) { updateFeature(input: { id: $id, name: $name }) { feature { id } } }',
      variables: { id, name },
    },
  });
const withoutMoment = ({ status, text, headers }: Awaited<ReturnType<typeof ask>>) => {
  const { date, 'x-request-id': requestId, age, 'cache-status': cacheStatus, ...rest } = headers;
  return { status, text, rest };
};

describe.each([
  ['POST', () => post()],
  ['GET', () => get()],
])('the same %s again', (_method, again) => {
  test('is answered at the listener, by the same bytes and headers', async () => {
    await rename('Two');
    longWays = 0;
    const first = await again();
    const second = await again();
    expect(JSON.parse(first.text)).toEqual({ data: { feature: { name: 'Two' } } });
    expect(longWays).toBe(1);
    expect(withoutMoment(second)).toEqual(withoutMoment(first));
    expect([first.headers['cache-status'], second.headers['cache-status']]).toEqual([
      'tributary; fwd=miss; stored',
      expect.stringMatching(/^tributary; hit; ttl=\d+$/),
    ]);
    expect(second.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
  });

  test('is answered anew after a write', async () => {
    await again();
    await rename(`Three ${_method}`);
    longWays = 0;
    expect(JSON.parse((await again()).text)).toEqual({ data: { feature: { name: `Three ${_method}` } } });
    expect(longWays).toBe(1);
  });
});

describe('a request that was answered before', () => {
  test('of another viewer is that viewer’s own', async () => {
    await post();
    const stranger: Viewer = await createOrganization(app.database.pool);
    expect(JSON.parse((await post({ id }, { [viewerHeader]: JSON.stringify(stranger) })).text)).toEqual({
      data: { feature: null },
    });
    const nobody = await post({ id }, { [viewerHeader]: 'null' });
    expect(JSON.parse(nobody.text).errors[0].extensions.code).toBe('UNAUTHENTICATED');
    const writer = { ...app.viewer, scopes: ['write'] };
    const refused = await post({ id }, { [viewerHeader]: JSON.stringify(writer) });
    expect(JSON.parse(refused.text).errors[0].extensions.code).toBe('FORBIDDEN');
  });

  test('with other variables is another', async () => {
    await post();
    expect(JSON.parse((await post({ id: encodeGlobalId('Feature', app.viewer.userId) })).text)).toEqual({
      data: { feature: null },
    });
  });

  test.each([
    ['asks for its cost', { 'x-cost': 'report' }],
    ['has a time of its own', { 'x-request-timeout-ms': '5000' }],
  ])('goes the long way when it %s', async (_label, headers) => {
    await post();
    longWays = 0;
    await post({ id }, headers as unknown as Record<string, string>);
    expect(longWays).toBe(1);
  });

  test('goes the long way again when what may be asked has changed', async () => {
    await post();
    app.hitPath!.forget();
    longWays = 0;
    await post();
    await post();
    expect(longWays).toBe(1);
  });

  test('is refused with media types that cannot be served, and of a kind that pages may send', async () => {
    await post();
    expect((await post({ id }, { accept: 'text/csv' })).status).toBe(406);
    const body = JSON.stringify({ query: document, variables: { id } });
    const response = await fetch(`${served.origin}/graphql`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/plain' },
    });
    expect(response.status).toBe(415);
  });

  test('is answered when its body comes late, and after it another on the same connection', async () => {
    await post();
    const body = JSON.stringify({ query: document, variables: { id } });
    const head = `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    const socket = connect(served.port, '127.0.0.1');
    let received = '';
    socket.on('data', (data) => {
      received += data.toString();
    });
    const answers = () => received.split('"data"').length - 1;
    socket.write(head);
    await new Promise(setImmediate);
    socket.write(body);
    await expect.poll(answers).toBe(1);
    socket.write(head + body + head + body);
    await expect.poll(answers).toBe(3);
    socket.destroy();
  });
});

describe('an ETag', () => {
  test('that is named again is answered by 304, without a body, until something is written', async () => {
    const { headers } = await get();
    expect(headers).toMatchObject({
      etag: expect.stringMatching(/^"[\w-]{24}"$/),
      'cache-control': 'private, no-cache',
      vary: expect.stringContaining('authorization'),
    });
    const unchanged = await get({ 'if-none-match': `"other", W/${headers.etag}` });
    expect(unchanged).toMatchObject({ status: 304, text: '', headers: { etag: headers.etag } });
    await rename('Four');
    const changed = await get({ 'if-none-match': headers.etag! });
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).not.toBe(headers.etag);
    // The long way, too.
    expect((await get({ 'if-none-match': changed.headers.etag!, 'x-request-timeout-ms': '5000' })).status).toBe(304);
  });

  test('is nothing to a POST, to a mutation, or to who may not read', async () => {
    const { headers } = await get();
    expect((await post({ id }, { 'if-none-match': headers.etag! })).status).toBe(200);
    expect((await ask({ body: { query: 'mutation { __typename }' }, headers: { 'if-none-match': '*' } })).status).toBe(
      200,
    );
    const nobody = await get({ 'if-none-match': headers.etag!, [viewerHeader]: 'null' });
    expect(nobody.status).not.toBe(304);
  });
});

test('quotas count what is answered at the listener', async () => {
  const rateLimits = { viewer: { points: 10, windowSeconds: 60, isWarnOnly: false }, address: null };
  const other = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 20 });
  const registry = new Registry();
  const limited = await createTestApp({
    cache: other,
    rateLimiter: createRateLimiter({ rateLimits, redis: null, log: pino({ level: 'silent' }), registry }),
  });
  const server = await serveApp(limited, () => false, {
    graphql: countLongWays(limited.handler),
    directPath: undefined,
  });
  try {
    const askOnce = () => ask({ body: { query: '{ viewer { name } }' }, origin: server.origin });
    const answers = [await askOnce()];
    while (answers.at(-1)!.status === 200 && answers.length < 50) answers.push(await askOnce());
    expect(answers.at(-1)!.status).toBe(429);
    const remaining = answers.map(({ headers }) => Number(/r=(\d+)/.exec(headers.ratelimit!)![1]));
    expect(remaining).toEqual(remaining.toSorted((a, b) => b - a));
    expect(answers.length).toBeLessThanOrEqual(11);
    // The first, and the one that was refused.
    expect(longWays).toBe(2);
  } finally {
    await server.close();
  }
});
