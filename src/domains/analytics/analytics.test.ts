import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeGlobalId } from '../../schema/global-id.ts';
import {
  type AnalyticsRows,
  addForecastHour,
  createFeatureAt,
  seedAnalyticsRows,
} from '../../testing/analytics-rows.ts';
import { createOrganization } from '../../testing/seed-builders.ts';
import { createTestApp, type TestApp } from '../../testing/test-app.ts';

const intervals = ['HOUR', 'DAY', 'WEEK', 'MONTH'] as const;
type Interval = (typeof intervals)[number];
type Row = Record<string, unknown>;

/** Starts and ends within a bucket of every width; Europe’s clocks go forward in it, UTC’s do not. */
const range = { from: '2024-03-19T10:30:00.000Z', to: '2024-05-07T20:30:00.000Z' };

let app: TestApp;
let rows: AnalyticsRows;

beforeAll(async () => {
  app = await createTestApp();
  rows = await seedAnalyticsRows(app.database.pool, app.viewer, range);
  // Others have rows at the same times, which must not count.
  await seedAnalyticsRows(app.database.pool, await createOrganization(app.database.pool), range);
});

afterAll(() => app.close());

async function ask(field: string, span: { from: string; to: string } = range): Promise<Row[]> {
  const document = `query ($range: TimeRange!) { analytics(range: $range) { rows: ${field} } }`;
  const answer = await app.query(document, { range: span });
  expect(answer.errors).toBeUndefined();
  return answer.data.analytics.rows;
}

describe.each(intervals)('by %s', (interval) => {
  test('featureThroughput', async () => {
    const answer = await ask(`featureThroughput(interval: ${interval}) { at created completed complexityPoints }`);
    const created = byBucket(rows.features, 'createdAt', interval);
    const completed = byBucket(rows.features, 'completedAt', interval);
    const expected = bucketsOf(interval).map((at) => {
      const complexityPoints = sum(completed(at).map((feature) => feature.complexityPoints));
      return { at, created: created(at).length, completed: completed(at).length, complexityPoints };
    });
    expectSame(answer, expected);
  });

  test.each([null, 'PRODUCTION', 'STAGING'])('deployments to %s', async (environment) => {
    const filter = environment ? `, environment: ${environment}` : '';
    const fields = 'at succeeded failed successRate medianSeconds';
    const answer = await ask(`deployments(interval: ${interval}${filter}) { ${fields} }`);
    const chosen = rows.deployments.filter((row) => environment === null || row.environment === environment);
    const asked = byBucket(chosen, 'createdAt', interval);
    expectSame(
      answer,
      bucketsOf(interval).map((at) => deploymentStats(at, asked(at))),
    );
  });

  test('conversationVolume', async () => {
    const answer = await ask(`conversationVolume(interval: ${interval}) { at conversations messages activeUsers }`);
    const begun = byBucket(rows.conversations, 'createdAt', interval);
    const said = byBucket(rows.messages, 'createdAt', interval);
    const expected = bucketsOf(interval).map((at) => {
      const authors = said(at).flatMap(({ authorId }) => authorId ?? []);
      return { at, conversations: begun(at).length, messages: said(at).length, activeUsers: new Set(authors).size };
    });
    expectSame(answer, expected);
  });

  test('sentimentTrend', async () => {
    const answer = await ask(`sentimentTrend(interval: ${interval}) { at mean negative neutral positive }`);
    const said = byBucket(rows.messages, 'createdAt', interval);
    const expected = bucketsOf(interval).map((at) => {
      const count = (label: string) => said(at).filter((message) => message.sentimentLabel === label).length;
      const scores = said(at).flatMap(({ sentimentScore }) => sentimentScore ?? []);
      const counts = { negative: count('NEGATIVE'), neutral: count('NEUTRAL'), positive: count('POSITIVE') };
      return { at, mean: mean(scores), ...counts };
    });
    expectSame(answer, expected);
  });

  test('energyDemand', async () => {
    const siteId = encodeGlobalId('Site', rows.siteIds[0]);
    const answer = await ask(`energyDemand(interval: ${interval}, siteId: "${siteId}") { at mean min max }`);
    const own = rows.readings.filter((reading) => reading.siteId === rows.siteIds[0]);
    const metered = byBucket(own, 'at', interval);
    const expected = bucketsOf(interval).map((at) => {
      const loads = metered(at).map(({ loadMw }) => loadMw);
      const extremes =
        loads.length === 0 ? { min: null, max: null } : { min: Math.min(...loads), max: Math.max(...loads) };
      return { at, mean: mean(loads), ...extremes };
    });
    expectSame(answer, expected);
  });

  test('forecastAccuracy', async () => {
    const fields = 'at version count mae mape coverage';
    const answer = await ask(`forecastAccuracy(model: "energy-forecast", interval: ${interval}) { ${fields} }`);
    const points = byBucket(rows.forecastPoints, 'at', interval);
    const loads = hourlyLoads();
    const expected = bucketsOf(interval).flatMap((at) =>
      ['1', '2'].flatMap((version) => accuracy(at, version, points(at), loads)),
    );
    expect(expected.length).toBeGreaterThan(0);
    expectSame(answer, expected);
  });
});

describe('a range', () => {
  test('counts its first moment and not its last', async () => {
    const at = { from: '2024-06-01T00:00:00.000Z', to: '2024-06-02T00:00:00.000Z' };
    for (const moment of [at.from, '2024-06-01T23:59:59.999999Z', at.to, '2024-05-31T23:59:59.999999Z']) {
      await createFeatureAt(app.database.pool, app.viewer, moment);
    }
    expect(await ask('featureThroughput(interval: DAY) { at created }', at)).toEqual([
      { at: toSeconds(at.from), created: 2 },
    ]);
  });

  test('may be shorter than a bucket, which begins before it', async () => {
    const short = { from: '2024-04-10T12:00:00Z', to: '2024-04-10T12:00:01Z' };
    const answer = await ask('conversationVolume(interval: MONTH) { at }', short);
    expect(answer).toEqual([{ at: '2024-04-01T00:00:00Z' }]);
  });

  test('may come with an offset, its buckets are of UTC', async () => {
    const local = { from: '2024-04-10T00:00:00+02:00', to: '2024-04-11T00:00:00+02:00' };
    const answer = await ask('conversationVolume(interval: DAY) { at }', local);
    expect(answer).toEqual([{ at: '2024-04-09T00:00:00Z' }, { at: '2024-04-10T00:00:00Z' }]);
  });

  test('without any row has every bucket but those of forecastAccuracy', async () => {
    const empty = { from: '1999-01-01T00:00:00Z', to: '1999-01-04T00:00:00Z' };
    const siteId = encodeGlobalId('Site', rows.siteIds[0]);
    const ats = ['1999-01-01T00:00:00Z', '1999-01-02T00:00:00Z', '1999-01-03T00:00:00Z'];
    const expected: [string, Row][] = [
      ['featureThroughput(interval: DAY)', { created: 0, completed: 0, complexityPoints: 0 }],
      ['deployments(interval: DAY)', { succeeded: 0, failed: 0, successRate: null, medianSeconds: null }],
      ['conversationVolume(interval: DAY)', { conversations: 0, messages: 0, activeUsers: 0 }],
      ['sentimentTrend(interval: DAY)', { mean: null, negative: 0, neutral: 0, positive: 0 }],
      [`energyDemand(interval: DAY, siteId: "${siteId}")`, { mean: null, min: null, max: null }],
    ];
    for (const [field, zeros] of expected) {
      const answer = await ask(`${field} { at ${Object.keys(zeros).join(' ')} }`, empty);
      expect(answer).toEqual(ats.map((at) => ({ at, ...zeros })));
    }
    expect(await ask('forecastAccuracy(model: "energy-forecast", interval: DAY) { at }', empty)).toEqual([]);
  });
});

test('forecastAccuracy of known points', async () => {
  const [siteId] = rows.siteIds;
  const day = '2024-07-01T';
  // Errors 10, 20 and 0 of loads 100, 100 and 0 (which has no percentage); the second lies outside its band.
  const add = (hour: string, loads: number[], p50: number) =>
    addForecastHour(app.database.pool, app.viewer, { siteId, at: `${day}${hour}:00:00Z`, loads, p50, spread: 15 });
  await add('01', [90, 110], 110);
  await add('02', [100], 80);
  await add('03', [0], 0);
  const span = { from: '2024-07-01T00:00:00Z', to: '2024-07-02T00:00:00Z' };
  const answer = await ask(
    'forecastAccuracy(model: "energy-forecast", interval: DAY) { at version count mae mape coverage }',
    span,
  );
  expectSame(answer, [{ at: span.from, version: '1', count: 3, mae: 10, mape: 15, coverage: 2 / 3 }]);
});

function deploymentStats(at: string, deployments: AnalyticsRows['deployments']): Row {
  const succeeded = deployments.filter(({ status }) => status === 'SUCCEEDED');
  const failed = deployments.filter(({ status }) => ['FAILED', 'ROLLED_BACK'].includes(status));
  const ended = succeeded.length + failed.length;
  return {
    at,
    succeeded: succeeded.length,
    failed: failed.length,
    successRate: ended === 0 ? null : succeeded.length / ended,
    medianSeconds: median(succeeded.map((row) => (Date.parse(row.finishedAt!) - Date.parse(row.createdAt)) / 1000)),
  };
}

/** The mean load of each site’s hours, by site and hour. */
function hourlyLoads(): Map<string, number> {
  const hours = Map.groupBy(rows.readings, ({ siteId, at }) => `${siteId} ${startOf(at, 'HOUR')}`);
  return new Map([...hours].map(([hour, readings]) => [hour, mean(readings.map(({ loadMw }) => loadMw))!]));
}

function accuracy(
  at: string,
  version: string,
  points: AnalyticsRows['forecastPoints'],
  loads: ReadonlyMap<string, number>,
): Row[] {
  const pairs = points.flatMap((point) => {
    const load = loads.get(`${point.siteId} ${startOf(point.at, 'HOUR')}`);
    return point.version === version && load !== undefined ? [{ point, load, error: Math.abs(point.p50 - load) }] : [];
  });
  if (pairs.length === 0) return [];
  const mae = mean(pairs.map(({ error }) => error));
  const mape = mean(pairs.map(({ error, load }) => (100 * error) / Math.abs(load)));
  const coverage = mean(pairs.map(({ point, load }) => (load >= point.p10 && load <= point.p90 ? 1 : 0)));
  return [{ at, version, count: pairs.length, mae, mape, coverage }];
}

/** The rows of the range by the bucket that a time of theirs lies in. */
function byBucket<Property extends string, Item extends { [name in Property]: string | null }>(
  list: readonly Item[],
  property: Property,
  interval: Interval,
): (at: string) => Item[] {
  const inRange = list.filter((row) => {
    const moment: string | null = row[property];
    return moment !== null && moment >= range.from && moment < range.to;
  });
  const buckets = Map.groupBy(inRange, (row) => startOf(row[property] as string, interval));
  return (at) => buckets.get(at) ?? [];
}

function bucketsOf(interval: Interval): string[] {
  const starts = new Set<string>();
  for (let ms = Date.parse(range.from); ms < Date.parse(range.to); ms += 900_000) {
    starts.add(startOf(new Date(ms).toISOString(), interval));
  }
  return [...starts];
}

/** The start of the bucket a moment lies in, in UTC. */
function startOf(moment: string, interval: Interval): string {
  const time = new Date(moment);
  time.setUTCMinutes(0, 0, 0);
  if (interval !== 'HOUR') time.setUTCHours(0);
  if (interval === 'WEEK') time.setUTCDate(time.getUTCDate() - ((time.getUTCDay() + 6) % 7));
  if (interval === 'MONTH') time.setUTCDate(1);
  return toSeconds(time.toISOString());
}

function toSeconds(iso: string): string {
  return `${iso.slice(0, 19)}Z`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : sum(values) / values.length;
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return mean(sorted.length % 2 === 1 ? [sorted[Math.floor(middle)]!] : sorted.slice(middle - 1, middle + 1));
}

/** Equal, but for the last digits of sums taken in another order. */
function expectSame(actual: readonly Row[], expected: readonly Row[]): void {
  const round = (value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(9)) : value);
  const rounded = (list: readonly Row[]) =>
    list.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, round(value)])));
  expect(rounded(actual)).toEqual(rounded(expected));
}
