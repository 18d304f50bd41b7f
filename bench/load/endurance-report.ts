import { checkBudgets, findBudget, reportBudgets } from '../budgets.ts';
import type { Report } from '../inference/report.ts';
import { median } from '../statistics.ts';
import type { EnduranceOptions, EnduranceResult, EnduranceSample } from './endurance.ts';
import { p95Budgets } from './latency-budgets.ts';
import { keepResult } from './results.ts';
import { faultsOf, totalOf } from './run-report.ts';
import { certainGrowth, type Trend, trendOf } from './trend.ts';

/** Of the second half, which is half an hour by default: what grows less may do so by chance, or fill a cache. */
const growthLimitMib = 5;
/** Shorter runs still fill what is bounded: of them only what a full collection leaves is judged, */
export const slopeMinutes = 10;
/** and by this: two minutes of 300 requests a second, all uncached, leave 5 MiB more; 1 kB kept of each would be 18. */
const shortGrowthLimitMib = 10;
/** Shorter runs cannot tell so small a slope from the last of the warm-up. */
const budgetMinutes = 60;
const handlesLimit = 5;

const mib = (bytes: number) => bytes / 2 ** 20;

interface Memory {
  readonly name: string;
  readonly of: (sample: EnduranceSample) => number | null;
}

const memories: readonly Memory[] = [
  { name: 'RSS', of: ({ rssBytes }) => mib(rssBytes) },
  {
    name: 'heap, collected',
    of: ({ heapAfterCollectionBytes: bytes }) => (bytes === null ? null : mib(bytes)),
  },
  { name: 'external', of: ({ externalBytes }) => mib(externalBytes) },
];

/** Prints what came of it, and keeps it with charts; what leaks fails the process at its end. */
export async function describeEndurance(
  result: EnduranceResult,
  options: EnduranceOptions,
  report: Report,
): Promise<void> {
  const { samples, outcomes, compared, left, halfTime, end } = result;
  const second = samples.slice(Math.floor(samples.length / 2));
  const hours = (second.at(-1)!.atSeconds - second[0]!.atSeconds) / 3_600;
  const trends = memories.map(({ name, of }) => [name, trendOf(pointsOf(second, of))] as const);
  if (options.minutes >= slopeMinutes) judgeSlopes(trends, hours, report);
  else report.figure(`slopes are not judged below ${slopeMinutes} min`);
  const heapGrowth = mib(end.heapUsedBytes - halfTime.heapUsedBytes);
  const heapLimit = options.minutes < slopeMinutes ? shortGrowthLimitMib : growthLimitMib;
  report.check(
    `heap after a full collection: ${mib(halfTime.heapUsedBytes).toFixed(1)} MiB at half time, ${mib(end.heapUsedBytes).toFixed(1)} at the end`,
    `<= ${heapLimit} MiB more`,
    heapGrowth <= heapLimit,
  );
  report.check(
    `handles: ${halfTime.handles} at half time, ${end.handles} at the end; sockets ${halfTime.sockets}, ${end.sockets}`,
    `<= ${handlesLimit} more`,
    end.handles - halfTime.handles <= handlesLimit,
  );
  const delays = second.map(({ eventLoopDelayP99Ms }) => eventLoopDelayP99Ms);
  report.figure(
    `event loop late by ${median(delays).toFixed(1)} ms (p99 of each sample, their median), at most ${Math.max(...samples.map(({ eventLoopDelayMaxMs }) => eventLoopDelayMaxMs)).toFixed(0)} ms`,
  );
  const kept = ({ keptAnswers, keptBytes }: EnduranceSample) =>
    `${keptAnswers} answers, ${mib(keptBytes).toFixed(1)} MiB`;
  report.figure(
    `kept: ${kept(second[0]!)} at half time, ${kept(samples.at(-1)!)} at the end; all dropped ${samples.at(-1)!.timesEmptied - samples[0]!.timesEmptied} times`,
  );
  report.figure(
    `${outcomes.ok ?? 0} right answers, ${compared} compared; others: ${JSON.stringify(Object.fromEntries(faultsOf(outcomes)))}`,
  );
  report.check(`left over: ${left.join(', ') || 'nothing'}`, 'nothing', left.length === 0);
  const checks = checkBudgets(budgetFigures(result, second, trends[0]![1], options));
  reportBudgets(checks);
  await keepResult(
    options.out,
    'endurance',
    { options, trends: Object.fromEntries(trends), ...result },
    {
      title: 'Endurance',
      facts: [
        ['load', `${options.cachedRate} cached and ${options.uncachedRate} uncached requests a second, with writes`],
        ['second half', trends.map(([name, trend]) => `${name} ${describeTrend(trend)}`).join('; ')],
      ],
      checks,
      series: chartsOf(samples),
    },
  );
}

function judgeSlopes(trends: readonly (readonly [name: string, trend: Trend])[], hours: number, report: Report): void {
  report.figure(`the second half, ${(hours * 60).toFixed(1)} min, by least squares, with 95 % intervals:`);
  for (const [name, trend] of trends) {
    const grown = certainGrowth(trend, hours);
    report.check(
      `${name}: ${describeTrend(trend)}, so at least ${grown.toFixed(1)} MiB more`,
      `<= ${growthLimitMib} MiB`,
      // Not enough collections to say is not a leak; what was left after the two that were asked for tells.
      grown <= growthLimitMib,
    );
  }
}

function budgetFigures(
  { samples, outcomes, compared }: EnduranceResult,
  second: readonly EnduranceSample[],
  rss: Trend,
  { minutes }: EnduranceOptions,
) {
  const faults = totalOf(Object.fromEntries(faultsOf(outcomes)));
  const growth = { id: 'memory-growth', value: rss.perHour - rss.uncertaintyPerHour };
  return [
    { id: 'memory-steady', value: median(second.map(({ rssBytes }) => mib(rssBytes))) },
    { id: 'memory-peak', value: Math.max(...samples.map(({ rssBytes }) => mib(rssBytes))) },
    ...(minutes >= budgetMinutes ? [growth] : []),
    { id: 'error-share', value: (faults * 100) / totalOf(outcomes) },
    { id: 'wrong-answers', value: compared === 0 ? Number.NaN : (outcomes['wrong answer'] ?? 0) },
  ];
}

/** What is null is left out. */
function pointsOf(
  samples: readonly EnduranceSample[],
  of: (sample: EnduranceSample) => number | null,
): [seconds: number, value: number][] {
  return samples.flatMap((sample): [number, number][] => {
    const value = of(sample);
    return value === null ? [] : [[sample.atSeconds, value]];
  });
}

function describeTrend({ perHour, uncertaintyPerHour }: Trend): string {
  return Number.isNaN(perHour) ? 'too few samples' : `${perHour.toFixed(1)} ± ${uncertaintyPerHour.toFixed(1)} MiB/h`;
}

function chartsOf(samples: readonly EnduranceSample[]) {
  const line = (name: string, unit: string, of: (sample: EnduranceSample) => number | null) => ({
    name,
    unit,
    points: pointsOf(samples, of).map(([seconds, value]) => [seconds * 1_000, value] as const),
  });
  const memory = (each: Memory) => ({
    ...line(each.name, 'MiB', each.of),
    chart: 'Memory',
    bound: findBudget('memory-steady').bound,
  });
  const delay = (name: string, of: (sample: EnduranceSample) => number) => ({
    ...line(name, 'ms', of),
    chart: 'Event-loop delay',
    isLogarithmic: true,
  });
  return [
    ...memories.map(memory),
    { ...memory({ name: 'heap in use', of: ({ heapUsedBytes }) => mib(heapUsedBytes) }), isReference: true },
    delay('p99', ({ eventLoopDelayP99Ms }) => eventLoopDelayP99Ms),
    delay('p50', ({ eventLoopDelayP50Ms }) => eventLoopDelayP50Ms),
    ...(['critical', 'standard'] as const).map((kind) => ({
      ...line('p95', 'ms', ({ p95Ms }) => p95Ms[kind]),
      chart: `p95 of ${kind} requests`,
      isLogarithmic: true,
      bound: p95Budgets[kind],
    })),
    line('answers kept', '', ({ keptAnswers }) => keptAnswers),
    line('right answers', 'req/s', ({ requestsPerSecond }) => requestsPerSecond),
    { ...line('sockets', '', ({ sockets }) => sockets), chart: 'Handles' },
    { ...line('others', '', ({ handles }) => handles), chart: 'Handles' },
    { ...line('at work', '', ({ poolRunning }) => poolRunning), chart: 'Connections of the pool, statements waiting' },
    { ...line('waiting', '', ({ poolWaiting }) => poolWaiting), chart: 'Connections of the pool, statements waiting' },
  ];
}
