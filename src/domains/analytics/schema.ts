import { type Context, requireViewer } from '../../context.ts';
import { epochMs } from '../../db/time.ts';
import { badUserInput, notFound } from '../../errors.ts';
import { builder } from '../../schema/builder.ts';
import { decodeId } from '../../schema/global-id.ts';
import { parseInput, timeRange } from '../../schema/input.ts';
import { TimeRange } from '../../schema/shared-types.ts';
import { Environment } from '../features/schema/types.ts';
import { siteById } from '../predictions/loaders.ts';
import { findModel } from '../predictions/models.ts';
import {
  type ConversationVolume,
  type DeploymentStats,
  type EnergyDemand,
  type FeatureThroughput,
  type ForecastAccuracy,
  type Interval,
  listConversationVolume,
  listDeploymentStats,
  listEnergyDemand,
  listFeatureThroughput,
  listForecastAccuracy,
  listSentimentTrend,
  type SentimentTrend,
  type Span,
} from './queries.ts';

type Range = Omit<Span, 'interval'>;

const maxBuckets = 10_000;
const hoursOf: Record<Interval, number> = { HOUR: 1, DAY: 24, WEEK: 168, MONTH: 672 };

const IntervalType = builder.enumType('Interval', {
  description: 'The width of a bucket of time, in UTC.',
  values: {
    HOUR: { description: 'From a full hour.' },
    DAY: { description: 'From midnight.' },
    WEEK: { description: 'From midnight of a Monday.' },
    MONTH: { description: 'From midnight of the first.' },
  },
});

/** What a series costs: an aggregate over many rows, and about so many buckets. */
const series = { cost: 100, listSize: { assumedSize: 100 } } as const;

const at = { type: 'DateTime', description: 'When the bucket begins.' } as const;

const FeatureThroughputRef = builder.objectRef<FeatureThroughput>('FeatureThroughput').implement({
  description: 'What happened to features in a bucket.',
  fields: (t) => ({
    at: t.expose('at', at),
    created: t.exposeInt('created', { description: 'Features written down.' }),
    completed: t.exposeInt('completed', { description: 'Features done.' }),
    complexityPoints: t.exposeInt('complexityPoints', { description: 'Complexity points of the features done.' }),
  }),
});

const DeploymentStatsRef = builder.objectRef<DeploymentStats>('DeploymentStats').implement({
  description: 'How the deployments asked for in a bucket ended.',
  fields: (t) => ({
    at: t.expose('at', at),
    succeeded: t.exposeInt('succeeded', { description: 'Deployments that came up.' }),
    failed: t.exposeInt('failed', { description: 'Deployments that failed or were rolled back.' }),
    successRate: t.exposeFloat('successRate', {
      nullable: true,
      description: 'The share of those ended that succeeded, 0 to 1; null when none ended.',
    }),
    medianSeconds: t.exposeFloat('medianSeconds', {
      nullable: true,
      description: 'The median time those that succeeded took, in seconds; null when none did.',
    }),
  }),
});

const ConversationVolumeRef = builder.objectRef<ConversationVolume>('ConversationVolume').implement({
  description: 'How much was said in a bucket.',
  fields: (t) => ({
    at: t.expose('at', at),
    conversations: t.exposeInt('conversations', { description: 'Conversations begun.' }),
    messages: t.exposeInt('messages', { description: 'Messages said.' }),
    activeUsers: t.exposeInt('activeUsers', { description: 'People who said something.' }),
  }),
});

const SentimentTrendRef = builder.objectRef<SentimentTrend>('SentimentTrend').implement({
  description: 'How the messages of a bucket sound.',
  fields: (t) => ({
    at: t.expose('at', at),
    mean: t.exposeFloat('mean', {
      nullable: true,
      description: 'The mean score, 0 to 1; null without scored messages.',
    }),
    negative: t.exposeInt('negative', { description: 'Messages that sound unhappy.' }),
    neutral: t.exposeInt('neutral', { description: 'Messages that sound neither way.' }),
    positive: t.exposeInt('positive', { description: 'Messages that sound happy.' }),
  }),
});

const ForecastAccuracyRef = builder.objectRef<ForecastAccuracy>('ForecastAccuracy').implement({
  description: 'How far a version’s forecasts for a bucket were from what came.',
  fields: (t) => ({
    at: t.expose('at', at),
    version: t.exposeString('version', { description: 'Which version of the model.' }),
    count: t.exposeInt('count', { description: 'Hours that were forecast and metered.' }),
    mae: t.exposeFloat('mae', { description: 'Mean absolute error of the median, in megawatts.' }),
    mape: t.exposeFloat('mape', {
      nullable: true,
      description: 'Mean absolute error in percent; null when all loads were zero.',
    }),
    coverage: t.exposeFloat('coverage', {
      description: 'The share of loads between p10 and p90, 0 to 1; 0.8 is ideal.',
    }),
  }),
});

const EnergyDemandRef = builder.objectRef<EnergyDemand>('EnergyDemand').implement({
  description: 'The load of a site in a bucket, in megawatts; null without readings.',
  fields: (t) => ({
    at: t.expose('at', at),
    mean: t.exposeFloat('mean', { nullable: true, description: 'The mean load.' }),
    min: t.exposeFloat('min', { nullable: true, description: 'The least load.' }),
    max: t.exposeFloat('max', { nullable: true, description: 'The greatest load.' }),
  }),
});

const AnalyticsRef = builder.objectRef<Range>('Analytics').implement({
  description: `Figures over a range of time, per bucket, earliest first; at most ${maxBuckets} buckets.`,
  fields: (t) => {
    const interval = t.arg({ type: IntervalType, required: true, description: 'How wide a bucket is.' });
    return {
      featureThroughput: t.field({
        type: [FeatureThroughputRef],
        ...series,
        description: 'Features created and completed.',
        args: { interval },
        resolve: (range, args, context) => listFeatureThroughput(...scopeOf(context, range, args.interval)),
      }),
      deployments: t.field({
        type: [DeploymentStatsRef],
        ...series,
        description: 'How deployments ended.',
        args: { interval, environment: t.arg({ type: Environment, description: 'Only those to this environment.' }) },
        resolve: (range, args, context) =>
          listDeploymentStats(...scopeOf(context, range, args.interval), args.environment ?? null),
      }),
      conversationVolume: t.field({
        type: [ConversationVolumeRef],
        ...series,
        description: 'Conversations, messages and people.',
        args: { interval },
        resolve: (range, args, context) => listConversationVolume(...scopeOf(context, range, args.interval)),
      }),
      sentimentTrend: t.field({
        type: [SentimentTrendRef],
        ...series,
        description: 'How messages sound.',
        args: { interval },
        resolve: (range, args, context) => listSentimentTrend(...scopeOf(context, range, args.interval)),
      }),
      forecastAccuracy: t.field({
        type: [ForecastAccuracyRef],
        ...series,
        description: 'Forecasts against what came, per version; buckets with both only.',
        args: { model: t.arg.string({ required: true, description: 'The name of a forecast model.' }), interval },
        resolve: (range, args, context) => {
          if (findModel(context.inference, args.model)?.task !== 'FORECAST') {
            throw badUserInput({ path: 'model', message: 'expected the name of a forecast model' });
          }
          return listForecastAccuracy(...scopeOf(context, range, args.interval), args.model);
        },
      }),
      energyDemand: t.field({
        type: [EnergyDemandRef],
        ...series,
        description: 'The load of a site.',
        args: { siteId: t.arg.id({ required: true, description: 'The id of a site.' }), interval },
        resolve: async (range, args, context) => {
          const siteId = decodeId('Site', args.siteId, 'siteId');
          const scope = scopeOf(context, range, args.interval);
          if (!(await siteById(context).load(siteId))) throw notFound('Site', 'siteId');
          return listEnergyDemand(...scope, siteId);
        },
      }),
    };
  },
});

builder.queryField('analytics', (t) =>
  t.field({
    type: AnalyticsRef,
    scope: 'read',
    cache: { maxAgeSeconds: 60, scope: 'organization' },
    description: 'Figures of the organization over a range of time.',
    args: { range: t.arg({ type: TimeRange, required: true, description: 'Which span of time.' }) },
    resolve: (_root, { range }, context) => {
      requireViewer(context);
      return parseInput(timeRange, range, 'range');
    },
  }),
);

function scopeOf(context: Context, range: Range, interval: Interval): [Context['database'], string, Span] {
  const { organizationId } = requireViewer(context);
  const buckets = (epochMs(range.to) - epochMs(range.from)) / 3_600_000 / hoursOf[interval];
  if (buckets > maxBuckets) {
    const message = `expected at most ${maxBuckets} buckets, got about ${Math.ceil(buckets)}: a shorter range or a wider interval`;
    throw badUserInput({ path: 'interval', message });
  }
  return [context.analyticsDatabase, organizationId, { ...range, interval }];
}
