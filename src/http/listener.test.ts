import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../telemetry/metrics.ts';
import { type ServedApp, serveApp } from '../testing/serve-app.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { createMetricsListener, listen } from './listener.ts';

let app: TestApp;
let served: ServedApp;
let origin = '';
let isDraining = false;

beforeAll(async () => {
  app = await createTestApp();
  served = await serveApp(app, () => isDraining);
  origin = served.origin;
});

afterAll(() => served.close());

const post = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

describe('the listener', () => {
  test('says that it is alive and ready, with its models', async () => {
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
    const ready = await fetch(`${origin}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: 'ready', database: 'up', failedModels: [] });
  });

  test('is not ready while it drains, but stays alive', async () => {
    isDraining = true;
    expect((await fetch(`${origin}/readyz`)).status).toBe(503);
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
    isDraining = false;
  });

  test('leads from / to GraphiQL and names its paths for others', async () => {
    const root = await fetch(`${origin}/`, { redirect: 'manual' });
    expect([root.status, root.headers.get('location')]).toEqual([302, '/graphql']);
    expect((await fetch(`${origin}/nowhere`)).status).toBe(404);
  });

  test.each([
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/graphql',
    'multipart/form-data; boundary=x',
  ])('does not read a body of %s', async (contentType) => {
    const response = await fetch(`${origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body: 'query={__typename}',
    });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
  });

  test('does not change anything by GET', async () => {
    const mutation = 'mutation { deleteFeature(input: { id: "x" }) { deletedId } }';
    const response = await fetch(`${origin}/graphql?query=${encodeURIComponent(mutation)}`);
    expect(response.status).toBe(405);
  });

  test('sends no CORS headers', async () => {
    const response = await post({ query: '{ __typename }' }, { origin: 'https://elsewhere.example' });
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('metrics', () => {
  test('label known operations by name and all others as one', async () => {
    await post({ query: 'query SearchDocuments { __typename }' });
    for (const name of ['Evil1', 'Evil2', '__proto__']) await post({ query: `query ${name} { __typename }` });
    const text = await (await fetch(`${origin}/metrics`)).text();
    const names = new Set(
      [...text.matchAll(/graphql_request_seconds_count\{operation="([^"]+)"/g)].map((match) => match[1]),
    );
    expect(names).toEqual(new Set(['SearchDocuments', 'other']));
  });

  test('keep the number of series fixed, whatever clients send', async () => {
    const count = async () => (await (await fetch(`${origin}/metrics`)).text()).split('\n').length;
    await post({ query: '{ nope }' });
    await post({ query: '{' });
    const before = await count();
    for (let index = 0; index < 20; index++) await post({ query: `query Q${index} { unknown${index} }` });
    expect(await count()).toBe(before);
  });

  test('show statements, the pool and batches, also on a port of their own', async () => {
    const metrics = createMetrics();
    metrics.watchPool('main', app.database.pool);
    metrics.onStatement({ name: 'listX', text: '' }, 3, undefined);
    metrics.onBatch({ model: 'm', version: '1', rows: 3, queueMs: 1, computeMs: 2, isFailed: false });
    const { server: own, port } = await listen(createMetricsListener(metrics.registry), '127.0.0.1', 0);
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    own.closeAllConnections();
    own.close();
    expect(text).toContain('tributary_statement_seconds_count{statement="listX"} 1');
    expect(text).toContain('tributary_pool_connections_max{pool="main"} 4');
    expect(text).toContain('tributary_inference_batch_rows_sum{model="m",version="1"} 3');
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
  });
});

describe('a taken port', () => {
  test('rejects', async () => {
    const registry = new Registry();
    const { server: first, port } = await listen(createMetricsListener(registry), '127.0.0.1', 0);
    await expect(listen(createMetricsListener(registry), '127.0.0.1', port)).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    first.close();
  });
});
