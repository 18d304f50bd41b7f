import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InferenceEngine, PredictRequest } from '../../../inference/engine.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import { createSite } from '../../../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp } from '../../../testing/test-app.ts';

const hourMs = 3_600_000;
/** The hour after the last reading of every site here. */
const end = '2026-03-02T00:00:00.000Z';
const endMs = Date.parse(end);
const hoursBefore = (hours: number) => new Date(endMs - hours * hourMs).toISOString();

let app: TestApp;
let siteIds: string[];
let emptySiteId: string;
let calls: PredictRequest[] = [];

beforeAll(async () => {
  app = await createTestApp({ wrapInference: watched });
  const sites = [];
  for (let index = 0; index < 5; index++)
    sites.push(await createSite(app.database.pool, app.viewer, 500, new Date(endMs)));
  siteIds = sites.map(({ id }) => encodeGlobalId('Site', id));
  const empty = await createSite(app.database.pool, { ...app.viewer }, 20, new Date(endMs));
  emptySiteId = encodeGlobalId('Site', empty.id);
});

afterAll(() => app.close());

function watched(engine: InferenceEngine): InferenceEngine {
  return {
    versions: () => engine.versions(),
    failures: () => engine.failures(),
    pendingRows: () => engine.pendingRows(),
    close: () => engine.close(),
    predict: (request) => {
      calls.push(request);
      return engine.predict(request);
    },
  };
}

async function countCalls(work: () => Promise<unknown>): Promise<number[]> {
  calls = [];
  await work();
  return calls.map(({ rows }) => rows.length);
}

const forecast = `query ($siteId: ID!, $horizon: Int! = 24, $from: DateTime) {
  forecast(siteId: $siteId, horizon: $horizon, from: $from) {
    site { id } issuedAt points { at p10 p50 p90 } modelVersion { version precision model { name task } }
  }
}`;

interface Point {
  at: string;
  p10: number;
  p50: number;
  p90: number;
}

describe('forecast', () => {
  test.each([24, 168, 1, 25])('gives %i hours from the hour after the last reading', async (horizon) => {
    const answer = await app.query(forecast, { siteId: siteIds[0], horizon });
    expect(answer.errors).toBeUndefined();
    const { site, issuedAt, points, modelVersion } = answer.data.forecast as { points: Point[] } & Record<
      string,
      unknown
    >;
    expect(site).toEqual({ id: siteIds[0] });
    expect(issuedAt).toBe(end);
    expect(points.map(({ at }) => at)).toEqual(Array.from({ length: horizon }, (_, index) => hoursBefore(-index)));
    for (const { p10, p50, p90 } of points) {
      expect([p10, p50, p90]).toEqual([p10, p50, p90].sort((low, high) => low - high));
      expect(p50).toBeGreaterThan(60);
      expect(p50).toBeLessThan(140);
    }
    expect(modelVersion).toEqual({
      version: '1',
      precision: 'FP32',
      model: { name: 'energy-forecast', task: 'FORECAST' },
    });
  });

  test('follows the daily wave of a site', async () => {
    const { points } = (await app.query(forecast, { siteId: siteIds[0] })).data.forecast as { points: Point[] };
    const wave = (at: string) => 100 + 20 * Math.sin((Date.parse(at) / 86_400_000) * 2 * Math.PI);
    const error = points.reduce((sum, { at, p50 }) => sum + Math.abs(p50 - wave(at)) / points.length, 0);
    expect(error).toBeLessThan(10);
  });

  test('from in the past says what would have been said then', async () => {
    const from = hoursBefore(48);
    const past = (await app.query(forecast, { siteId: siteIds[0], from })).data.forecast;
    expect(past.issuedAt).toBe(from);
    expect(past.points[0].at).toBe(from);
    const site = await createSite(app.database.pool, app.viewer, 452, new Date(endMs - 48 * hourMs));
    const then = (await app.query(forecast, { siteId: encodeGlobalId('Site', site.id) })).data.forecast;
    expect(past.points).toEqual(then.points);
  });

  test('from within an hour begins at the full hour; the hour after the last reading is the latest', async () => {
    const within = new Date(endMs - 47.5 * hourMs).toISOString();
    expect((await app.query(forecast, { siteId: siteIds[0], from: within })).data.forecast.issuedAt).toBe(
      hoursBefore(48),
    );
    expect((await app.query(forecast, { siteId: siteIds[0], from: end })).data.forecast.issuedAt).toBe(end);
    const { errors } = await app.query(forecast, { siteId: siteIds[0], from: hoursBefore(-1) });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'from' }] });
  });

  test('needs readings enough', async () => {
    const { errors } = await app.query(forecast, { siteId: emptySiteId });
    expect(errors?.[0]).toMatchObject({
      message: expect.stringContaining('too few readings'),
      extensions: { code: 'NOT_FOUND' },
    });
    const early = await app.query(forecast, { siteId: siteIds[0], from: hoursBefore(450) });
    expect(early.errors?.[0]?.extensions.code).toBe('NOT_FOUND');
  });

  test.each([
    [24, 1],
    [72, 3],
  ])('of all sites of a page takes one statement and a batch for each day ahead: %i hours', async (horizon, days) => {
    const document = `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Site { forecast(horizon: ${horizon}) { points { p50 } } } } }`;
    let statements: string[] = [];
    const batches = await countCalls(async () => {
      statements = await countStatements(app, () => app.query(document, { ids: siteIds }));
    });
    expect(statements).toEqual(['listSitesByIds', 'listForecastHistory']);
    expect(batches).toEqual(Array.from({ length: days }, () => 5));
  });
});

describe('sentiment', () => {
  test('tells good from bad', async () => {
    const document =
      'query ($text: String!) { sentiment(text: $text) { label score modelVersion { model { name } } } }';
    const good = (await app.query(document, { text: 'I love this, thank you so much! It is wonderful.' })).data
      .sentiment;
    const bad = (await app.query(document, { text: 'This is terrible, I hate it. Awful and disappointing.' })).data
      .sentiment;
    expect(good).toMatchObject({ label: 'POSITIVE', modelVersion: { model: { name: 'sentiment' } } });
    expect(bad.label).toBe('NEGATIVE');
    expect(good.score).toBeGreaterThan(0.5);
    expect(bad.score).toBeLessThan(0.5);
  });

  test('of several texts is one batch, equal texts run once', async () => {
    const texts = ['good', 'bad', 'good', 'fine'];
    const fields = texts.map((text, index) => `t${index}: sentiment(text: "${text}") { label score }`);
    let data: Record<string, unknown> = {};
    const batches = await countCalls(async () => {
      ({ data } = await app.query(`{ ${fields.join(' ')} }`));
    });
    expect(batches).toEqual([3]);
    expect(data.t0).toEqual(data.t2);
  });
});

describe('models', () => {
  test('are listed by name with what serves them', async () => {
    const document = `{ models { id name task versions { id version precision rolloutWeight executionProvider model { name } } } }`;
    const { models } = (await app.query(document)).data;
    const version = { version: '1', precision: 'FP32', rolloutWeight: 1, executionProvider: 'cpu' };
    const int8 = { ...version, precision: 'INT8' };
    expect(models).toMatchObject([
      { name: 'embedding', task: 'EMBEDDING', versions: [{ ...int8, model: { name: 'embedding' } }] },
      { name: 'energy-forecast', task: 'FORECAST', versions: [{ ...version, model: { name: 'energy-forecast' } }] },
      { name: 'sentiment', task: 'SENTIMENT', versions: [{ ...version, model: { name: 'sentiment' } }] },
    ]);
    const ids = models.flatMap(({ id, versions }: { id: string; versions: { id: string }[] }) => [id, versions[0]!.id]);
    const found = await app.query('query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }', { ids });
    const types = Array.from({ length: 3 }, () => ['Model', 'ModelVersion']).flat();
    expect(found.data.nodes).toEqual(ids.map((id: string, index: number) => ({ __typename: types[index], id })));
  });

  test('are found by name, and null otherwise', async () => {
    const document = '{ known: model(name: "sentiment") { task } unknown: model(name: "nope") { task } }';
    expect((await app.query(document)).data).toEqual({ known: { task: 'SENTIMENT' }, unknown: null });
  });
});

describe('predictions', () => {
  const document = `query ($filter: PredictionFilter) {
    predictions(filter: $filter, first: 3) { totalCount nodes { id createdAt latencyMs batchSize modelVersion { version model { name } } } }
  }`;

  test('are recorded after each call, latest first, and found by model, version and time', async () => {
    await app.predictions.flush();
    const { predictions: before } = (await app.query(document)).data;
    const from = new Date().toISOString();
    await app.query(`{ a: sentiment(text: "a") { label } b: sentiment(text: "b") { label } }`);
    await app.query(forecast, { siteId: siteIds[0], horizon: 48 });
    await app.predictions.flush();
    const { predictions } = (await app.query(document)).data;
    expect(predictions.totalCount).toBe(before.totalCount + 2);
    expect(predictions.nodes).toMatchObject([
      { batchSize: 1, modelVersion: { version: '1', model: { name: 'energy-forecast' } } },
      { batchSize: 2, modelVersion: { version: '1', model: { name: 'sentiment' } } },
      {},
    ]);
    expect(predictions.nodes[0].latencyMs).toBeGreaterThan(0);
    const to = new Date(Date.now() + 1000).toISOString();
    const count = async (filter: object) => (await app.query(document, { filter })).data.predictions.totalCount;
    expect(await count({ createdAt: { from, to } })).toBe(2);
    expect(await count({ model: 'sentiment', createdAt: { from, to } })).toBe(1);
    expect(await count({ model: 'sentiment', version: '1', createdAt: { from, to } })).toBe(1);
    expect(await count({ model: 'sentiment', version: '2' })).toBe(0);
    expect(await count({ model: 'nope' })).toBe(0);
  });

  test('are kept for their organization with the points of a forecast', async () => {
    await app.query(forecast, { siteId: siteIds[1], horizon: 30, from: hoursBefore(100) });
    await app.predictions.flush();
    const text = `select count(*)::integer as count, min(at)::text as first, min(issued_at)::text as issued from forecast_points
      where organization_id = $1 and issued_at = $2`;
    const [row] = await app.database.pool.run({ name: 'testPoints', text }, [
      app.viewer.organizationId,
      hoursBefore(100),
    ]);
    const at = hoursBefore(100).replace('T', ' ').replace('.000Z', '+00');
    expect(row).toEqual({ count: 30, first: at, issued: at });
  });
});
