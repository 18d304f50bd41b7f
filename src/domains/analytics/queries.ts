import { type SQLWrapper, sql } from 'drizzle-orm';
import type { Database, Value } from '../../db/database.ts';
import { firstIdAt } from '../../db/id.ts';
import { arg, statementByShape } from '../../db/statement.ts';
import { ceilEpochMs } from '../../db/time.ts';
import { conversations, messages } from '../conversations/tables.ts';
import { deployments, features } from '../features/tables.ts';
import { type AccuracyFigures, accuracyFigures, actualLoad } from '../predictions/statistics-queries.ts';
import { forecastPoints, readings } from '../predictions/tables.ts';

export const intervals = ['HOUR', 'DAY', 'WEEK', 'MONTH'] as const;
export type Interval = (typeof intervals)[number];

/** A range of ISO times, from inclusive, to exclusive, cut into UTC hours, days, weeks from Monday, or months. */
export interface Span {
  from: string;
  to: string;
  interval: Interval;
}

const unit = (interval: Interval) => sql.raw(`'${interval.toLowerCase()}'`);
const bucketOf = (moment: SQLWrapper, interval: Interval) => sql`date_trunc(${unit(interval)}, ${moment}, 'UTC')`;
const from = sql`${arg('from')}::timestamptz`;
const to = sql`${arg('to')}::timestamptz`;

/** All buckets of the range, so that those without rows are zero instead of missing. In UTC months have their own lengths. */
const buckets = (interval: Interval) => sql`(
    select wall at time zone 'UTC' as at from generate_series(
      date_trunc(${unit(interval)}, ${from} at time zone 'UTC'),
      (${to} at time zone 'UTC') - interval '1 microsecond', ${sql.raw(`interval '1 ${interval.toLowerCase()}'`)}) as wall
  ) as buckets`;

function spanValues(organizationId: string, { from, to }: Span): Record<string, Value> {
  return { organizationId, from, to };
}

function idSpanValues(organizationId: string, span: Span): Record<string, Value> {
  return {
    ...spanValues(organizationId, span),
    idFrom: firstIdAt(ceilEpochMs(span.from)),
    idTo: firstIdAt(ceilEpochMs(span.to)),
  };
}

export interface FeatureThroughput {
  at: string;
  created: number;
  completed: number;
  complexityPoints: number;
}

const featureThroughput = statementByShape<Interval, FeatureThroughput>(
  'listFeatureThroughput',
  (interval) => sql`with created as (
      select ${bucketOf(features.createdAt, interval)} as at, count(*)::integer as count from ${features}
      where ${features.organizationId} = ${arg('organizationId')} and ${features.createdAt} >= ${from} and ${features.createdAt} < ${to}
      group by 1
    ), completed as (
      select ${bucketOf(features.completedAt, interval)} as at, count(*)::integer as count,
        sum(${features.complexityPoints})::integer as points from ${features}
      where ${features.organizationId} = ${arg('organizationId')} and ${features.completedAt} >= ${from} and ${features.completedAt} < ${to}
      group by 1
    )
    select buckets.at, coalesce(created.count, 0) as created, coalesce(completed.count, 0) as completed,
      coalesce(completed.points, 0) as "complexityPoints"
    from ${buckets(interval)} left join created using (at) left join completed using (at) order by at`,
);

/** Features created and completed per bucket, and the points of those completed. All buckets, earliest first, as below. */
export function listFeatureThroughput(database: Database, organizationId: string, span: Span) {
  return featureThroughput(span.interval).run(database, spanValues(organizationId, span));
}

export interface DeploymentStats {
  at: string;
  succeeded: number;
  failed: number;
  /** null: none ended. */
  successRate: number | null;
  /** null: none succeeded. */
  medianSeconds: number | null;
}

const deploymentStats = statementByShape<{ interval: Interval; hasEnvironment: boolean }, DeploymentStats>(
  'listDeploymentStats',
  ({ interval, hasEnvironment }) => sql`with ended as (
      select ${bucketOf(deployments.createdAt, interval)} as at,
        count(*) filter (where ${deployments.status} = 'SUCCEEDED')::integer as succeeded,
        count(*) filter (where ${deployments.status} in ('FAILED', 'ROLLED_BACK'))::integer as failed,
        percentile_cont(0.5) within group (order by extract(epoch from ${deployments.finishedAt} - ${deployments.createdAt}))
          filter (where ${deployments.status} = 'SUCCEEDED')::float8 as median
      from ${deployments}
      where ${deployments.organizationId} = ${arg('organizationId')} and ${deployments.createdAt} >= ${from} and ${deployments.createdAt} < ${to}
        ${hasEnvironment ? sql`and ${deployments.environment} = ${arg('environment')}` : sql``}
      group by 1
    )
    select buckets.at, coalesce(ended.succeeded, 0) as succeeded, coalesce(ended.failed, 0) as failed,
      ended.succeeded::float8 / nullif(ended.succeeded + ended.failed, 0) as "successRate", ended.median as "medianSeconds"
    from ${buckets(interval)} left join ended using (at) order by at`,
);

/** How deployments asked for in each bucket ended; rolled back counts as failed. */
export function listDeploymentStats(
  database: Database,
  organizationId: string,
  span: Span,
  environment: string | null,
) {
  const shape = { interval: span.interval, hasEnvironment: environment !== null };
  return deploymentStats(shape).run(database, {
    ...spanValues(organizationId, span),
    ...(environment !== null && { environment }),
  });
}

export interface ConversationVolume {
  at: string;
  conversations: number;
  messages: number;
  activeUsers: number;
}

const conversationVolume = statementByShape<Interval, ConversationVolume>(
  'listConversationVolume',
  (interval) => sql`with begun as (
      select ${bucketOf(conversations.createdAt, interval)} as at, count(*)::integer as count from ${conversations}
      where ${conversations.organizationId} = ${arg('organizationId')}
        and ${conversations.createdAt} >= ${from} and ${conversations.createdAt} < ${to}
      group by 1
    ), said as (
      select ${bucketOf(messages.createdAt, interval)} as at, count(*)::integer as count,
        count(distinct ${messages.authorId})::integer as users
      from ${messages}
      where ${messages.organizationId} = ${arg('organizationId')} and ${messages.id} >= ${arg('idFrom')} and ${messages.id} < ${arg('idTo')}
      group by 1
    )
    select buckets.at, coalesce(begun.count, 0) as conversations, coalesce(said.count, 0) as messages,
      coalesce(said.users, 0) as "activeUsers"
    from ${buckets(interval)} left join begun using (at) left join said using (at) order by at`,
);

/** Conversations begun, messages said and people who spoke per bucket. */
export function listConversationVolume(database: Database, organizationId: string, span: Span) {
  return conversationVolume(span.interval).run(database, idSpanValues(organizationId, span));
}

export interface SentimentTrend {
  at: string;
  /** null: no scored message. */
  mean: number | null;
  negative: number;
  neutral: number;
  positive: number;
}

const sentimentTrend = statementByShape<Interval, SentimentTrend>(
  'listSentimentTrend',
  (interval) => sql`with said as (
      select ${bucketOf(messages.createdAt, interval)} as at, avg(${messages.sentimentScore})::float8 as mean,
        count(*) filter (where ${messages.sentimentLabel} = 'NEGATIVE')::integer as negative,
        count(*) filter (where ${messages.sentimentLabel} = 'NEUTRAL')::integer as neutral,
        count(*) filter (where ${messages.sentimentLabel} = 'POSITIVE')::integer as positive
      from ${messages}
      where ${messages.organizationId} = ${arg('organizationId')} and ${messages.id} >= ${arg('idFrom')} and ${messages.id} < ${arg('idTo')}
      group by 1
    )
    select buckets.at, said.mean, coalesce(said.negative, 0) as negative, coalesce(said.neutral, 0) as neutral,
      coalesce(said.positive, 0) as positive
    from ${buckets(interval)} left join said using (at) order by at`,
);

/** The mean score and the labels of the messages said in each bucket. */
export function listSentimentTrend(database: Database, organizationId: string, span: Span) {
  return sentimentTrend(span.interval).run(database, idSpanValues(organizationId, span));
}

export interface ForecastAccuracy extends AccuracyFigures {
  at: string;
  version: string;
}

const forecastAccuracy = statementByShape<Interval, ForecastAccuracy>(
  'listForecastAccuracy',
  (
    interval,
  ) => sql`select ${bucketOf(forecastPoints.at, interval)} as at, ${forecastPoints.version} as version, ${accuracyFigures}
    from ${forecastPoints} cross join ${actualLoad}
    where ${forecastPoints.organizationId} = ${arg('organizationId')} and ${forecastPoints.model} = ${arg('model')}
      and ${forecastPoints.at} >= ${from} and ${forecastPoints.at} < ${to} and actual.load is not null
    group by 1, 2 order by 1, 2`,
);

/** How far forecasts were from the hourly means that came, per bucket and version; only buckets with both. */
export function listForecastAccuracy(database: Database, organizationId: string, span: Span, model: string) {
  return forecastAccuracy(span.interval).run(database, { ...spanValues(organizationId, span), model });
}

export interface EnergyDemand {
  at: string;
  /** null, like min and max: no reading. */
  mean: number | null;
  min: number | null;
  max: number | null;
}

const energyDemand = statementByShape<Interval, EnergyDemand>(
  'listEnergyDemand',
  (interval) => sql`with metered as (
      select ${bucketOf(readings.at, interval)} as at, avg(${readings.loadMw}) as mean, min(${readings.loadMw}) as min,
        max(${readings.loadMw}) as max
      from ${readings}
      where ${readings.organizationId} = ${arg('organizationId')} and ${readings.siteId} = ${arg('siteId')}
        and ${readings.at} >= ${from} and ${readings.at} < ${to}
      group by 1
    )
    select buckets.at, metered.mean, metered.min, metered.max
    from ${buckets(interval)} left join metered using (at) order by at`,
);

/** The load of a site per bucket, in megawatts. */
export function listEnergyDemand(database: Database, organizationId: string, span: Span, siteId: string) {
  return energyDemand(span.interval).run(database, { ...spanValues(organizationId, span), siteId });
}
