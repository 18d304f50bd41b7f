import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../../context.ts';
import type { PredictionRecord } from '../../../inference/prediction-sink.ts';
import { createModelFolder, type ModelFolder } from '../../../testing/model-versions.ts';
import { createOrganization, createSite } from '../../../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp } from '../../../testing/test-app.ts';
import { insertPredictions } from '../queries.ts';

const hourMs = 3_600_000;
const startMs = Date.parse('2026-05-01T00:00:00Z');
const timeOf = (hour: number) => new Date(startMs + hour * hourMs).toISOString();
const range = { from: timeOf(0), to: timeOf(24) };

let app: TestApp;
let models: ModelFolder;
let viewer: Viewer;

beforeAll(async () => {
  models = await createModelFolder({ sentiment: ['2'], 'energy-forecast': ['2'] });
  app = await createTestApp({ modelsDirectory: models.directory });
});

beforeEach(async () => {
  viewer = await createOrganization(app.database.pool);
});

afterAll(async () => {
  await app.close();
  await models[Symbol.asyncDispose]();
});

const ended = { latencyMs: 10, batchSize: 1, cacheHits: 0, error: null, shadowOf: null, agreedRows: null };

/** Keeps calls of version 1 of the sentiment model in hour 1 but for what they say. */
async function keep(...calls: (Partial<PredictionRecord> & { hour?: number })[]): Promise<void> {
  const { organizationId } = viewer;
  const records = calls.map(({ hour = 1, ...call }) => ({
    organizationId,
    model: 'sentiment',
    version: '1',
    precision: 'FP32' as const,
    ...ended,
    ...call,
    createdAt: timeOf(hour),
  }));
  await insertPredictions(app.database.pool, records);
}

const figures = `calls rows errors errorRate meanLatencyMs p50LatencyMs p95LatencyMs cacheHitRatio shadowCalls agreement
  forecast { count mae mape coverage }`;
const document = `query ($model: String!, $range: TimeRange!) {
  model(name: $model) { versions { version statistics(range: $range) { ${figures} } } }
}`;

async function findFigures(model = 'sentiment', as = viewer) {
  const { data, errors } = await app.query(document, { model, range }, as);
  expect(errors).toBeUndefined();
  const versions = data.model.versions as { version: string; statistics: Record<string, unknown> }[];
  return Object.fromEntries(versions.map(({ version, statistics }) => [version, statistics]));
}

const nothing = {
  calls: 0,
  rows: 0,
  errors: 0,
  errorRate: null,
  meanLatencyMs: null,
  p50LatencyMs: null,
  p95LatencyMs: null,
  cacheHitRatio: null,
  shadowCalls: 0,
  agreement: null,
  forecast: null,
};

describe('statistics', () => {
  test('of no calls are zero, and null where nothing can be said', async () => {
    expect(await findFigures()).toEqual({ '1': nothing, '2': nothing });
  });

  test('are told by version', async () => {
    await keep(
      ...Array.from({ length: 10 }, (_, index) => ({ latencyMs: 10 * (index + 1), batchSize: 4, cacheHits: 1 })),
      { latencyMs: 1_000, error: 'FAILED', batchSize: 10 },
      { latencyMs: 2_000, error: 'TIMEOUT', batchSize: 10 },
      // As a whole from the cache: it tells nothing of how fast the version is.
      { latencyMs: 0.1, batchSize: 10, cacheHits: 10 },
      { version: '2', latencyMs: 7 },
      { version: '2', shadowOf: '1', batchSize: 4, agreedRows: 3 },
      { version: '2', shadowOf: '1', batchSize: 6, agreedRows: 6 },
      { version: '2', shadowOf: '1', batchSize: 100, error: 'FAILED' },
    );
    expect(await findFigures()).toEqual({
      '1': {
        ...nothing,
        calls: 13,
        rows: 70,
        errors: 2,
        errorRate: 2 / 13,
        meanLatencyMs: 55,
        p50LatencyMs: 55,
        p95LatencyMs: expect.closeTo(95.5, 9),
        cacheHitRatio: 0.4,
      },
      '2': {
        ...nothing,
        calls: 1,
        rows: 1,
        errorRate: 0,
        meanLatencyMs: 7,
        p50LatencyMs: 7,
        p95LatencyMs: 7,
        cacheHitRatio: 0,
        shadowCalls: 3,
        agreement: 0.9,
      },
    });
  });

  test('are of the range, its end excluded, and of the organization', async () => {
    await keep({ hour: -0.001 }, { hour: 0 }, { hour: 23.999 }, { hour: 24 });
    const other = await createOrganization(app.database.pool);
    expect((await findFigures())['1']).toMatchObject({ calls: 2 });
    expect((await findFigures('sentiment', other))['1']).toEqual(nothing);
  });

  test('of all versions of all models are one statement, and one more for their accuracy', async () => {
    const all = `query ($range: TimeRange!) { models { versions {
      statistics(range: $range) { calls } same: statistics(range: $range) { errors }
    } } }`;
    expect(await countStatements(app, () => app.query(all, { range }, viewer))).toEqual(['listCallStatistics']);
    const withAccuracy = all.replace('{ calls }', '{ calls forecast { mae } }');
    const statements = await countStatements(app, () => app.query(withAccuracy, { range }, viewer));
    expect(statements).toEqual(['listCallStatistics', 'listVersionAccuracy']);
  });

  test('refuse a range that ends before it begins', async () => {
    const { errors } = await app.query(
      document,
      { model: 'sentiment', range: { from: range.to, to: range.from } },
      viewer,
    );
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'range' }] });
  });
});

describe('the accuracy of forecasts', () => {
  test('is told by version where readings have come, as analytics tells it', async () => {
    const site = await createSite(app.database.pool, viewer, 10, new Date(startMs + 10 * hourMs));
    const text =
      'select avg(load_mw)::float8 as load, at::text as at from readings where organization_id = $1 group by at order by at';
    const loads = await app.database.pool.run<{ load: number; at: string }>({ name: 'testLoads', text }, [
      viewer.organizationId,
    ]);
    const metered = loads.map(({ load, at }) => ({ load, at: new Date(`${at.replace(' ', 'T')}:00`).toISOString() }));
    const points = (offset: number) =>
      metered.slice(0, 4).map(({ load, at }) => ({
        siteId: site.id,
        issuedAt: range.from,
        at,
        p10: load + offset - 5,
        p50: load + offset,
        p90: load + offset + 5,
      }));
    const unmetered = { ...points(0)[0]!, at: timeOf(20) };
    await keep(
      { model: 'energy-forecast', version: '1', points: [...points(2), unmetered] },
      { model: 'energy-forecast', version: '2', shadowOf: '1', points: points(-8) },
    );
    const found = await findFigures('energy-forecast');
    const mape = (offset: number) => metered.slice(0, 4).reduce((sum, { load }) => sum + (25 * offset) / load, 0);
    expect(found['1']!.forecast).toMatchObject({
      count: 4,
      mae: expect.closeTo(2, 9),
      mape: expect.closeTo(mape(2), 9),
      coverage: 1,
    });
    expect(found['2']!.forecast).toMatchObject({
      count: 4,
      mae: expect.closeTo(8, 9),
      mape: expect.closeTo(mape(8), 9),
      coverage: 0,
    });
    const analytics = `query ($range: TimeRange!) { analytics(range: $range) {
      forecastAccuracy(model: "energy-forecast", interval: MONTH) { version count mae mape coverage }
    } }`;
    const { forecastAccuracy } = (await app.query(analytics, { range }, viewer)).data.analytics;
    // The last bit depends on the order in which rows are added up.
    const rounded = (accuracy: object) =>
      JSON.stringify(accuracy, (_key, value) => (typeof value === 'number' ? value.toFixed(9) : value));
    const own = ['1', '2'].map((version) => ({ version, ...(found[version]!.forecast as object) }));
    expect(rounded(forecastAccuracy)).toBe(rounded(own));
  });
});
