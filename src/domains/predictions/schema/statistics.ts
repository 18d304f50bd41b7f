import { builder } from '../../../schema/builder.ts';
import { parseInput, timeRange } from '../../../schema/input.ts';
import { TimeRange } from '../../../schema/shared-types.ts';
import type { AccuracyFigures } from '../statistics-queries.ts';
import { accuracyOf, statisticsOf, type VersionStatistics } from '../version-statistics.ts';
import { ModelVersionRef } from './models.ts';

const VersionAccuracyRef = builder.objectRef<AccuracyFigures>('VersionAccuracy').implement({
  description: 'How far a version’s forecasts were from what came.',
  fields: (t) => ({
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

const ran = 'of calls that ran and gave an answer, waits included; null without any.';

const ModelStatisticsRef = builder.objectRef<VersionStatistics>('ModelStatistics').implement({
  description: 'What the organization’s calls of a version came to in a range of time.',
  fields: (t) => ({
    calls: t.exposeInt('calls', { description: 'Calls it should have answered.' }),
    rows: t.exposeFloat('rows', { description: 'Rows of these calls, a whole number.' }),
    errors: t.exposeInt('errors', { description: 'Calls that failed, or were not answered in time.' }),
    errorRate: t.exposeFloat('errorRate', {
      nullable: true,
      description: 'Their share of the calls, 0 to 1; null without calls.',
    }),
    meanLatencyMs: t.exposeFloat('meanLatencyMs', { nullable: true, description: `The mean time ${ran}` }),
    p50LatencyMs: t.exposeFloat('p50LatencyMs', { nullable: true, description: `The median time ${ran}` }),
    p95LatencyMs: t.exposeFloat('p95LatencyMs', {
      nullable: true,
      description: `The time that 95 % stay below, ${ran}`,
    }),
    cacheHitRatio: t.exposeFloat('cacheHitRatio', {
      nullable: true,
      description: 'The share of answered rows that came from the cache, 0 to 1; null without any.',
    }),
    shadowCalls: t.exposeInt('shadowCalls', { description: 'Calls that ran behind the answer of another version.' }),
    agreement: t.exposeFloat('agreement', {
      nullable: true,
      description:
        'The share of their rows that agree with that answer (a sentiment by its label; a forecast when its medians ' +
        'differ by at most 5 % of the load), 0 to 1; null without any.',
    }),
    forecast: t.field({
      type: VersionAccuracyRef,
      nullable: true,
      cost: 100,
      description: 'How good its forecasts for the range were, shadows included; null while none can be told.',
      resolve: (statistics, _args, context) => accuracyOf(context, statistics),
    }),
  }),
});

builder.objectField(ModelVersionRef, 'statistics', (t) =>
  t.field({
    type: ModelStatisticsRef,
    cost: 100,
    description: 'What the organization’s calls of it came to; all versions of a request are one statement.',
    args: { range: t.arg({ type: TimeRange, required: true, description: 'When the calls were made.' }) },
    resolve: ({ model, version }, { range }, context) =>
      statisticsOf(context, { model, version }, parseInput(timeRange, range, 'range')),
  }),
);
