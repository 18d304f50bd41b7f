import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDirectServer, type DirectServer } from './testing-direct-server.ts';

let server: DirectServer;

beforeAll(async () => {
  server = await createDirectServer();
});

afterAll(() => server.close());

test('what became of requests is counted: skipped, answered, handed on', async () => {
  const byId = 'query ($id: ID!) { feature(id: $id) { name } }';
  const nobody = Buffer.from('Feature:018cd6ce-1800-7000-8000-000000000001').toString('base64url');
  // Unknown until it has been answered once.
  expect(await server.query(byId, { id: nobody })).toMatchObject({ data: { feature: null } });
  for (let time = 0; time < 3; time += 1) await server.query(byId, { id: nobody });
  // Its variables are right for GraphQL; the field refuses them, and graphql says so.
  expect((await server.query(byId, { id: 'x' })).errors[0].extensions.code).toBe('BAD_USER_INPUT');
  const { values } = await server.app.registry.getSingleMetric('tributary_direct_path_total')!.get();
  const counts = Object.fromEntries(values.map(({ labels, value }) => [labels.result, value]));
  expect(counts).toEqual({ skipped: 1, answered: 3, handed_on: 1 });
});
