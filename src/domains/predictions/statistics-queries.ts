import { sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { firstIdAt } from '../../db/id.ts';
import { arg, statement } from '../../db/statement.ts';
import { ceilEpochMs } from '../../db/time.ts';
import { forecastPoints, predictions, readings } from './tables.ts';

/** A version of a model, as it is named in rows. */
export interface VersionName {
  model: string;
  version: string;
}

/** Times as ISO-8601, from inclusive, to exclusive. */
export interface TimeSpan {
  from: string;
  to: string;
}

/** What an organization's calls of a version came to. Latencies are of calls that ran and gave an answer; milliseconds. */
export interface CallStatistics {
  calls: number;
  rows: number;
  errors: number;
  /** Like those below: null when nothing is there to say so. */
  errorRate: number | null;
  meanLatencyMs: number | null;
  p50LatencyMs: number | null;
  p95LatencyMs: number | null;
  cacheHitRatio: number | null;
  shadowCalls: number;
  agreement: number | null;
}

const wanted = sql`unnest(${arg('models')}::text[], ${arg('versions')}::text[]) as wanted(model, version)`;
const isServed = sql`${predictions.shadowOf} is null`;
const isAnswered = sql`${isServed} and ${predictions.error} is null`;
const hasRun = sql`${isAnswered} and ${predictions.cacheHits} < ${predictions.batchSize}`;

const callStatistics = statement<VersionName & CallStatistics>(
  'listCallStatistics',
  sql`select wanted.model, wanted.version, figures.calls, figures.rows, figures.errors,
      figures.errors::float8 / nullif(figures.calls, 0) as "errorRate", figures.mean as "meanLatencyMs",
      figures.percentiles[1] as "p50LatencyMs", figures.percentiles[2] as "p95LatencyMs",
      figures.hits as "cacheHitRatio", figures.shadows as "shadowCalls", figures.agreement
    from ${wanted} cross join lateral (
      select count(*) filter (where ${isServed})::integer as calls,
        coalesce(sum(${predictions.batchSize}) filter (where ${isServed}), 0)::float8 as rows,
        count(*) filter (where ${isServed} and ${predictions.error} is not null)::integer as errors,
        avg(${predictions.latencyMs}) filter (where ${hasRun}) as mean,
        percentile_cont(array[0.5, 0.95]) within group (order by ${predictions.latencyMs}) filter (where ${hasRun}) as percentiles,
        (sum(${predictions.cacheHits}) filter (where ${isAnswered}))::float8
          / nullif(sum(${predictions.batchSize}) filter (where ${isAnswered}), 0) as hits,
        count(*) filter (where not (${isServed}))::integer as shadows,
        sum(${predictions.agreedRows})::float8
          / nullif(sum(${predictions.batchSize}) filter (where ${predictions.agreedRows} is not null), 0) as agreement
      from ${predictions}
      where ${predictions.organizationId} = ${arg('organizationId')} and ${predictions.model} = wanted.model
        and ${predictions.version} = wanted.version
        and ${predictions.id} >= ${arg('idFrom')} and ${predictions.id} < ${arg('idTo')}
    ) as figures`,
);

/** Figures of an organization's calls of versions, one row for each of them, in no order. */
export function listCallStatistics(
  database: Database,
  organizationId: string,
  versions: readonly VersionName[],
  { from, to }: TimeSpan,
): Promise<(VersionName & CallStatistics)[]> {
  const span = { idFrom: firstIdAt(ceilEpochMs(from)), idTo: firstIdAt(ceilEpochMs(to)) };
  return callStatistics.run(database, { organizationId, ...toColumns(versions), ...span });
}

/** How far forecasts were from the hourly means that came. */
export interface AccuracyFigures {
  count: number;
  /** Of the median, in megawatts. */
  mae: number;
  /** Percent; null when every load was zero. */
  mape: number | null;
  /** The share of loads between p10 and p90. */
  coverage: number;
}

/** The select list of AccuracyFigures, over forecastPoints with actualLoad. */
export const accuracyFigures = sql`count(*)::integer as count, avg(abs(${forecastPoints.p50} - actual.load))::float8 as mae,
      (100 * avg(abs(${forecastPoints.p50} - actual.load) / nullif(abs(actual.load), 0)))::float8 as mape,
      avg((actual.load between ${forecastPoints.p10} and ${forecastPoints.p90})::integer)::float8 as coverage`;

/** `actual.load`: the mean load of a forecast point's hour, null while there is no reading of it. */
export const actualLoad = sql`lateral (
      select avg(${readings.loadMw}) as load from ${readings}
      where ${readings.organizationId} = ${forecastPoints.organizationId} and ${readings.siteId} = ${forecastPoints.siteId}
        and ${readings.at} >= ${forecastPoints.at} and ${readings.at} < ${forecastPoints.at} + interval '1 hour'
    ) as actual`;

const versionAccuracy = statement<VersionName & AccuracyFigures>(
  'listVersionAccuracy',
  sql`select ${forecastPoints.model} as model, ${forecastPoints.version} as version, ${accuracyFigures}
    from ${forecastPoints} join ${wanted} on wanted.model = ${forecastPoints.model} and wanted.version = ${forecastPoints.version}
    cross join ${actualLoad}
    where ${forecastPoints.organizationId} = ${arg('organizationId')} and ${forecastPoints.model} = any(${arg('models')}::text[])
      and ${forecastPoints.at} >= ${arg('from')}::timestamptz and ${forecastPoints.at} < ${arg('to')}::timestamptz
      and actual.load is not null
    group by 1, 2`,
);

/** How far the forecasts of versions for a span were from what came; versions without a metered hour have no row. */
export function listVersionAccuracy(
  database: Database,
  organizationId: string,
  versions: readonly VersionName[],
  { from, to }: TimeSpan,
): Promise<(VersionName & AccuracyFigures)[]> {
  return versionAccuracy.run(database, { organizationId, ...toColumns(versions), from, to });
}

function toColumns(versions: readonly VersionName[]): { models: string[]; versions: string[] } {
  return { models: versions.map(({ model }) => model), versions: versions.map(({ version }) => version) };
}
