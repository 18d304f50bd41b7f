import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServedApp, serveApp } from '../testing/serve-app.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { exchange, rawPost } from './testing-socket.ts';

const listed = 'https://app.example.com';
const mutation = 'mutation { createFeature(input: { name: "by a page" }) { feature { id } } }';

let app: TestApp;
let served: ServedApp;
let closed: ServedApp;

beforeAll(async () => {
  app = await createTestApp();
  served = await serveApp(app, () => false, { corsOrigins: [listed, 'http://localhost:8080'], trustedProxies: 1 });
  closed = await serveApp(await createTestApp({ settings: { hasGraphiql: false } }));
});

afterAll(() => Promise.all([served.close(), closed.close()]));

const request = (init: RequestInit & { path?: string }, to = served) =>
  fetch(`${to.origin}${init.path ?? '/graphql'}`, { redirect: 'manual', ...init });
const post = (body: unknown, headers: Record<string, string> = {}, to = served) =>
  request(
    { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) },
    to,
  );
const corsHeaders = (response: Response) =>
  Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('access-control-')));
const featureCount = async () => (await app.query('{ features { totalCount } }')).data.features.totalCount;
const preflight = (origin: string, to = served) =>
  request({ method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } }, to);

describe('CORS', () => {
  test('lets a listed origin in, without cookies', async () => {
    const asked = await preflight(listed);
    expect(asked.status).toBe(204);
    expect(corsHeaders(asked)).toEqual({
      'access-control-allow-origin': listed,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': expect.stringMatching(/authorization.*apollographql-client-name/),
      'access-control-expose-headers': 'x-request-id, retry-after, ratelimit, ratelimit-policy',
      'access-control-max-age': '7200',
    });
    const answered = await post({ query: '{ __typename }' }, { origin: listed });
    expect(answered.headers.get('access-control-allow-origin')).toBe(listed);
    expect(answered.headers.get('vary')).toContain('Origin');
  });

  test('gives no headers to other origins, and says that answers differ', async () => {
    for (const origin of ['https://evil.example', 'null', `${listed}.evil.example`, 'https://APP.example.com.']) {
      for (const response of [await preflight(origin), await post({ query: '{ __typename }' }, { origin })]) {
        expect(corsHeaders(response)).toEqual({});
        expect(response.headers.get('vary')).toContain('Origin');
      }
    }
  });

  test('gives a listed origin its headers on errors, too', async () => {
    const response = await post({ query: '{' }, { origin: 'http://localhost:8080' });
    expect(response.headers.get('access-control-allow-origin')).toBe('http://localhost:8080');
  });

  test('has no headers at all without a list', async () => {
    const asked = await preflight(listed, closed);
    expect([asked.status, asked.headers.get('allow')]).toEqual([405, 'GET, POST']);
    for (const response of [asked, await post({ query: '{ __typename }' }, { origin: listed }, closed)]) {
      expect(corsHeaders(response)).toEqual({});
      expect(response.headers.get('vary') ?? '').not.toContain('Origin');
    }
  });
});

describe('state', () => {
  test.each([
    ['text/plain', {}],
    ['text/plain; application/json', {}],
    ['application/x-www-form-urlencoded', {}],
    ['multipart/form-data; boundary=x', {}],
    ['application/graphql', {}],
    ['application/graphql+json', {}],
    ['application/json, text/plain', {}],
    ['application/jsonx', {}],
    ['', {}],
    ['application/json; charset=utf-16', {}],
    ['application/json', { 'content-encoding': 'gzip' }],
  ])('is not changed by a POST of %j %j', async (contentType, headers) => {
    const before = await featureCount();
    const body = new TextEncoder().encode(JSON.stringify({ query: mutation }));
    const type: Record<string, string> = contentType ? { 'content-type': contentType } : {};
    const response = await request({ method: 'POST', headers: { ...type, ...headers }, body });
    expect(response.status).toBe(415);
    expect(response.headers.get('accept-post')).toBe('application/json');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
    expect(await featureCount()).toBe(before);
  });

  test.each(['application/json', 'application/json;charset=UTF-8', 'Application/JSON; charset="utf-8"'])(
    'is asked about by %j',
    async (contentType) => {
      expect((await post({ query: '{ __typename }' }, { 'content-type': contentType })).status).toBe(200);
    },
  );

  test.each([
    ['GET', {}],
    ['GET', { 'content-type': 'application/json' }],
    ['GET', { 'x-http-method-override': 'POST', 'x-http-method': 'POST', 'x-method-override': 'POST' }],
    ['HEAD', {}],
    ['PUT', { 'content-type': 'application/json' }],
    ['DELETE', {}],
    ['PATCH', { 'content-type': 'application/json' }],
    ['OPTIONS', {}],
  ])('is not changed by %s %j', async (method, headers) => {
    const before = await featureCount();
    for (const query of [mutation, `query Q { __typename } ${mutation.replace('mutation', 'mutation M')}`]) {
      const path = `/graphql?query=${encodeURIComponent(query)}&operationName=${query === mutation ? '' : 'M'}`;
      const response = await request({ method, headers, path });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toMatch(/POST/);
    }
    expect(await featureCount()).toBe(before);
  });

  test('is not changed by a GET with a body', async () => {
    const before = await featureCount();
    const bytes = rawPost(JSON.stringify({ query: mutation }), { connection: 'close' });
    expect(await exchange(served.port, bytes.replace('POST', 'GET'))).toMatch(/"errors":\[\{"message":"Must provide/);
    expect(await featureCount()).toBe(before);
  });
});

const secure = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

describe('every answer', () => {
  test.each([
    [
      'a result',
      { method: 'POST', body: '{"query":"{ __typename }"}', headers: { 'content-type': 'application/json' } },
    ],
    ['an error', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
    ['no body that can be read', { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } }],
    ['nothing acceptable', { path: '/graphql?query={__typename}', headers: { accept: 'image/png' } }],
    ['a method that is none', { method: 'PUT' }],
    ['a place that is none', { path: '/nowhere' }],
    ['the root', { path: '/' }],
    ['health', { path: '/healthz' }],
    ['metrics', { path: '/metrics' }],
    ['health by POST', { path: '/healthz', method: 'POST' }],
  ])('for %s has the security headers', async (_name, init) => {
    const response = await request(init);
    expect(Object.fromEntries(response.headers)).toMatchObject(secure);
    for (const name of ['server', 'x-powered-by', 'strict-transport-security', 'set-cookie']) {
      expect(response.headers.get(name)).toBeNull();
    }
    await response.body?.cancel();
  });

  test('has HSTS where the proxy says that it came by HTTPS, and nobody else does', async () => {
    const hsts = async (protocol: string, to = served) =>
      (await request({ path: '/healthz', headers: { 'x-forwarded-proto': protocol } }, to)).headers.has(
        'strict-transport-security',
      );
    expect(await hsts('https')).toBe(true);
    expect(await hsts('http, https')).toBe(true);
    expect(await hsts('https, http')).toBe(false);
    expect(await hsts('http')).toBe(false);
    expect(await hsts('https', closed)).toBe(false);
  });

  test('of GraphiQL has a policy that names its scripts by their hashes', async () => {
    const response = await request({ headers: { accept: 'text/html' } });
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/script-src 'sha256-[^;]+;/);
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    expect(await (await request({ headers: { accept: 'text/html' } }, closed)).text()).not.toContain('<script');
  });
});

describe('the id of a request', () => {
  test.each([
    ['a bad document', 400, { query: '{' }, {}],
    ['an unknown field', 400, { query: '{ nope }' }, {}],
    ['no query', 400, {}, {}],
    ['a batch', 400, [{ query: '{ __typename }' }], {}],
    ['an unknown operation', 400, { query: 'query A { __typename }', operationName: 'B' }, {}],
    ['a bad content type', 415, { query: '{ __typename }' }, { 'content-type': 'text/plain' }],
    ['a bad timeout', 400, { query: '{ __typename }' }, { 'x-request-timeout-ms': 'x' }],
    ['an unacceptable accept', 406, { query: '{ __typename }' }, { accept: 'image/png' }],
    ['a field that fails', 200, { query: '{ __typename feature(id: "RmVhdHVyZTp4") { id } }' }, {}],
  ])('is in the errors of %s', async (_name, status, body, headers) => {
    const given = { accept: 'application/graphql-response+json', ...headers, 'x-request-id': 'proxy-4711-abc' };
    const response = await post(body, given);
    expect(response.status).toBe(status);
    expect(response.headers.get('x-request-id')).toBe('proxy-4711-abc');
    const { errors } = (await response.json()) as { errors: { extensions: object }[] };
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error.extensions).toMatchObject({ requestId: 'proxy-4711-abc' });
  });

  test.each(['short', 'x'.repeat(65), 'has blanks in it', '<script>alert(1)</script>'])('is not %j', async (given) => {
    const response = await post({ query: '{ __typename }' }, { 'x-request-id': given });
    expect(response.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
  });
});
