import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { demoUserEmail } from '../auth/demo-viewer.ts';
import type { Pool, Value } from '../db/database.ts';
import { createPool } from '../db/pool.ts';
import { findUserByEmail } from '../domains/accounts/queries.ts';
import { listForecastAccuracy, listSentimentTrend } from '../domains/analytics/queries.ts';
import { searchDocumentsByKeyword } from '../domains/documents/queries/document.ts';
import { scoreTexts } from '../domains/predictions/score-texts.ts';
import type { InferenceEngine } from '../inference/engine.ts';
import { scanModelRepository } from '../inference/repository.ts';
import { createWorkerEngine } from '../inference/worker-engine.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { seedDemoOnce } from './demo.ts';
import { lakeside, riverbank } from './organizations.ts';
import { demoUserId } from './people.ts';
import { invariants } from './testing-invariants.ts';

const now = new Date('2026-07-15T13:42:10Z');
const hour = '2026-07-15T13:00:00Z';

let engine: InferenceEngine;
let first: TestDatabase;
let second: TestDatabase;
let outcomes: string[];

beforeAll(async () => {
  engine = await createWorkerEngine({ repository: await scanModelRepository('models'), workers: 1 });
  const server = inject('postgres');
  [first, second] = [await createTestDatabase(server), await createTestDatabase(server)];
  const other = createPool({ connection: first.connection, size: 1 });
  const seed = (database: Pool) => seedDemoOnce({ database, inference: engine, now });
  outcomes = await Promise.all([seed(first.pool), seed(other)]);
  await other.close();
  await seed(second.pool);
}, 120_000);

afterAll(async () => {
  await engine.close();
  await first.drop();
  await second.drop();
});

function rows<Row>(database: Pool, text: string, values: Value[] = []): Promise<Row[]> {
  return database.run<Row>({ name: 'testSeed', text }, values);
}

/**
 * A digest of every column that a seed decides. The latency of predictions is measured, and the last bit of a score
 * depends on which rows ran together (6e-8 at most).
 */
async function digest(database: Pool, table: string): Promise<unknown> {
  const text = `select count(*)::integer as rows, md5(string_agg(row, '|' order by row)) as digest
    from (select (to_jsonb(t) - 'latency_ms' - 'sentiment_score')::text as row from ${table} as t) as r`;
  return (await rows(database, text))[0];
}

describe('seedDemoOnce', () => {
  test('seeds once when two start together', () => {
    expect(outcomes.toSorted()).toEqual(['present', 'seeded']);
  });

  test('leaves seeded data alone', async () => {
    const before = await digest(first.pool, 'features');
    expect(await seedDemoOnce({ database: first.pool, inference: engine, now: new Date() })).toBe('present');
    expect(await digest(first.pool, 'features')).toEqual(before);
  });

  test.each([
    'organizations',
    'users',
    'features',
    'test_cases',
    'deployments',
    'conversations',
    'messages',
    'documents',
  ])('makes the same %s twice', async (table) => {
    expect(await digest(second.pool, table)).toEqual(await digest(first.pool, table));
  });

  test('scores messages alike', async () => {
    const text = 'select sentiment_score as score from messages order by id';
    const [one, other] = [
      await rows<{ score: number }>(first.pool, text),
      await rows<{ score: number }>(second.pool, text),
    ];
    expect(one.length).toBeGreaterThan(1_000);
    const differences = one.map(({ score }, index) => Math.abs(score - other[index]!.score));
    expect(Math.max(...differences)).toBeLessThan(1e-6);
  });

  test.each(['sites', 'readings', 'predictions', 'forecast_points'])('makes the same %s twice', async (table) => {
    expect(await digest(second.pool, table)).toEqual(await digest(first.pool, table));
  });

  test.each(Object.keys(invariants))('%s', async (name) => {
    const text = invariants[name]!;
    expect((await rows(first.pool, text, text.includes('$1') ? [hour] : [])).slice(0, 3)).toEqual([]);
  });

  test('leaves nothing behind when it fails', async () => {
    const database = await createTestDatabase(inject('postgres'));
    const broken: InferenceEngine = {
      ...engine,
      versions: () => engine.versions(),
      predict: () => Promise.reject(new Error('gone')),
    };
    await expect(seedDemoOnce({ database: database.pool, inference: broken, now })).rejects.toThrow('gone');
    expect(await rows(database.pool, 'select name from organizations')).toEqual([]);
    expect(await seedDemoOnce({ database: database.pool, inference: engine, now })).toBe('seeded');
    await database.drop();
  }, 60_000);
});

describe('the demo data', () => {
  test('belong to two organizations, with the demo user in the first', async () => {
    const user = await findUserByEmail(first.pool, demoUserEmail);
    expect(user).toMatchObject({ organizationId: riverbank.id, id: demoUserId, isActive: true });
    const shared = await rows(first.pool, 'select email from users group by email having count(*) > 1');
    expect(shared).toEqual([{ email: 'sam.okafor@gridworks.example' }]);
    const sites = await rows(first.pool, 'select name from sites group by name having count(*) > 1');
    expect(sites).toEqual([{ name: 'Harbour district' }]);
  });

  test('have every status, and features without test cases and deployments', async () => {
    const text = `select count(distinct f.status)::integer as statuses,
        (select count(distinct status)::integer from test_cases) as tests,
        (select count(distinct status)::integer from deployments) as deployments,
        (count(*) filter (where not exists (select from test_cases t where t.feature_id = f.id)))::integer as untested,
        (count(*) filter (where not exists (select from deployments d where d.feature_id = f.id)))::integer as undeployed
      from features f`;
    const [found] = await rows<Record<string, number>>(first.pool, text);
    expect(found).toMatchObject({ statuses: 5, tests: 4 });
    expect(found!.deployments).toBeGreaterThanOrEqual(4);
    expect(found!.untested).toBeGreaterThan(5);
    expect(found!.undeployed).toBeGreaterThan(5);
  });

  test('show some features to everybody, of both organizations, and nothing that was given up', async () => {
    const text = `select organization_id as "organizationId", status, count(*)::integer as count from features
      where is_public group by 1, 2`;
    const shown = await rows<{ organizationId: string; status: string; count: number }>(first.pool, text);
    expect(shown.map(({ status }) => status)).not.toContain('CANCELLED');
    for (const { id, features } of [riverbank, lakeside]) {
      const count = shown.filter((row) => row.organizationId === id).reduce((sum, row) => sum + row.count, 0);
      expect(count).toBeGreaterThan(0.08 * features);
      expect(count).toBeLessThan(0.32 * features);
    }
  });

  test('hold what the serving model says of a message', async () => {
    const sample = await rows<{ content: string; sentimentLabel: string; sentimentScore: number }>(
      first.pool,
      `select content, sentiment_label as "sentimentLabel", sentiment_score as "sentimentScore" from messages order by md5(id::text) limit 50`,
    );
    const context = { inference: engine, predictions: { record: () => {} }, signal: new AbortController().signal };
    const scores = await scoreTexts(
      context,
      riverbank.id,
      sample.map((row) => row.content),
    );
    scores.forEach((score, index) => {
      if (score instanceof Error) throw score;
      expect(score.label).toBe(sample[index]!.sentimentLabel);
      expect(score.score).toBeCloseTo(sample[index]!.sentimentScore, 4);
    });
  });

  test('show the outages in the sentiment trend', async () => {
    const span = { from: '2025-08-01T00:00:00Z', to: hour, interval: 'MONTH' } as const;
    const trend = await listSentimentTrend(first.pool, riverbank.id, span);
    const negativeShare = trend.map((bucket) => bucket.negative / (bucket.negative + bucket.neutral + bucket.positive));
    expect(Math.max(...negativeShare)).toBeGreaterThan(1.25 * negativeShare.at(-1)!);
    for (const bucket of trend) expect(Math.min(bucket.negative, bucket.neutral, bucket.positive)).toBeGreaterThan(0);
  });

  test('have forecasts of the model that are about as good as on real load', async () => {
    for (const { id } of [riverbank, lakeside]) {
      const span = { from: '2026-06-01T00:00:00Z', to: hour, interval: 'MONTH' } as const;
      const accuracy = await listForecastAccuracy(first.pool, id, span, 'energy-forecast');
      expect(accuracy.length).toBe(2);
      for (const { mape, coverage, count } of accuracy) {
        expect(count).toBeGreaterThan(1000);
        expect(mape).toBeLessThan(6);
        expect(coverage).toBeGreaterThan(0.65);
        expect(coverage).toBeLessThan(0.95);
      }
    }
  });

  test('answer a keyword search with the article about it', async () => {
    for (const [query, title] of [
      ['refund credit note', 'Refunds and credit notes'],
      ['passkey lost phone', 'Signing in, passkeys and lost devices'],
      ['forecast band quantile', 'Understanding forecasts and their bands'],
    ] as const) {
      const [match] = await searchDocumentsByKeyword(first.pool, riverbank.id, { query, limit: 3 });
      expect(match?.document.title).toBe(title);
    }
  });
});
