import { pino } from 'pino';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../config.ts';
import { createFeatures } from '../../testing/seed-builders.ts';
import { createTestApp, type TestApp } from '../../testing/test-app.ts';

const apps: TestApp[] = [];
let logged: string[] = [];

afterEach(() => {
  logged = [];
});
afterAll(() => Promise.all(apps.map((app) => app.close())));

async function appWith(LIMIT_LIST_SIZE: string): Promise<TestApp> {
  const { limits } = readConfig({ NODE_ENV: 'test', LIMIT_LIST_SIZE });
  const log = pino({ level: 'warn' }, { write: (line: string) => logged.push(line) });
  const app = await createTestApp({ settings: { limits }, log });
  apps.push(app);
  await createFeatures(app.database.pool, app.viewer, Array(150).fill({}));
  return app;
}

const ask = (app: TestApp, first: number) =>
  app.query('query ($first: Int) { features(first: $first) { nodes { name } } }', { first });
const messageFor = (max: number, size: number) => `first: expected 0 to ${max}, got ${size}`;

describe('the size of a page', () => {
  test('is bounded by the setting, with a figure for each refusal', async () => {
    const app = await appWith('5');
    expect((await ask(app, 5)).data.features.nodes).toHaveLength(5);
    const refused = await ask(app, 6);
    expect(refused.errors).toMatchObject([{ message: messageFor(5, 6), extensions: { code: 'BAD_USER_INPUT' } }]);
    expect((await ask(app, -1)).errors).toMatchObject([{ message: messageFor(5, -1) }]);
    const ids = Array(6).fill('x');
    const nodes = await app.query('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids });
    expect(nodes.errors).toMatchObject([{ message: 'ids: expected 0 to 5, got 6' }]);
    expect(await app.registry.metrics()).toMatch(/tributary_limit_exceeded_total\{limit="listSize",mode="refused"\} 2/);
  });

  test('is only counted and logged where the setting says warn, but has an end', async () => {
    const app = await appWith('warn:5');
    expect((await ask(app, 150)).data.features.nodes).toHaveLength(150);
    expect(logged).toHaveLength(1);
    expect(JSON.parse(logged[0]!)).toMatchObject({ limit: 'listSize', max: 5, actual: 150 });
    expect(await app.registry.metrics()).toMatch(/limit="listSize",mode="warned"\} 1/);
    expect((await ask(app, 1_001)).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  });

  test('is 1000 at most where it is off', async () => {
    const app = await appWith('off');
    expect((await ask(app, 150)).data.features.nodes).toHaveLength(150);
    expect((await ask(app, 1_001)).errors).toMatchObject([{ message: messageFor(1000, 1001) }]);
  });
});
