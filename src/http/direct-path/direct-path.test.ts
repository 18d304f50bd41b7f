import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeGlobalId } from '../../schema/global-id.ts';
import { createFeatures } from '../../testing/seed-builders.ts';
import { type ServedApp, serveApp } from '../../testing/serve-app.ts';
import { createTestApp, type TestApp } from '../../testing/test-app.ts';

let app: TestApp;
let served: ServedApp;
let longWays = 0;
let id: string;

beforeAll(async () => {
  app = await createTestApp();
  const graphql: TestApp['handler'] = (request, response) => {
    longWays += 1;
    return app.handler(request, response);
  };
  served = await serveApp(app, () => false, { graphql });
  const [feature] = await createFeatures(app.database.pool, app.viewer, [{ name: 'One' }]);
  id = encodeGlobalId('Feature', feature!.id);
});

afterAll(() => served.close());

test('smoke', async () => {
  const ask = async (variables: object) => {
    const response = await fetch(`${served.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'query One($id: ID!) { feature(id: $id) { name } }', variables }),
    });
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
  };
  const first = await ask({ id });
  expect(longWays).toBe(1);
  const second = await ask({ id, other: 1 });
  expect(longWays).toBe(1);
  expect(second.text).toEqual(first.text);
  expect(Object.keys(second.headers).sort()).toEqual(Object.keys(first.headers).sort());
});
