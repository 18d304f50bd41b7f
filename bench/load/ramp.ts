import { classesOverBudget } from './latency-budgets.ts';
import { faultsOf, type RunReport, totalOf } from './run-report.ts';
import type { OpenLoop } from './running-load.ts';

export interface Step {
  readonly rate: number;
  readonly run: RunReport;
}

export interface RampOptions {
  /** The rate of the first step, in requests a second. */
  readonly from: number;
  readonly stepSeconds: number;
  /** No step is faster, in requests a second. */
  readonly most: number;
}

/** What a ramp found; null: not up to its last step. */
export interface Breaking {
  /** The slowest step with a class's p95 over its budget. */
  readonly slowAt: number | null;
  /** The slowest step of which more than a thousandth was shed. */
  readonly shedsAt: number | null;
  /** The highest step before either. */
  readonly highestGood: number | null;
  /** Right answers a second of the best step. */
  readonly highestGoodput: number;
}

const stepFactor = 1.25;
/** Beyond the breaking point the ramp goes on until it is well into overload. */
const overloadFactor = 2;
const shedShareLimit = 0.001;

/** Steps up to twice the rate at which the server breaks. */
export async function rampUp(
  load: OpenLoop,
  { from, stepSeconds, most }: RampOptions,
  onStep: (step: Step) => void,
): Promise<Step[]> {
  const steps: Step[] = [];
  for (let rate = from; rate <= most; rate = Math.ceil(rate * stepFactor)) {
    const step = { rate, run: await load.run([{ rate, seconds: stepSeconds }]) };
    steps.push(step);
    onStep(step);
    const breakingRate = breakingRateOf(findBreaking(steps));
    if (breakingRate !== null && rate >= overloadFactor * breakingRate) break;
  }
  return steps;
}

export function findBreaking(steps: readonly Step[]): Breaking {
  const slowAt = steps.find(({ run }) => classesOverBudget(run.classes).length > 0)?.rate ?? null;
  const shedsAt = steps.find(({ run }) => shareOf(run, 'shed') > shedShareLimit)?.rate ?? null;
  const breakingRate = breakingRateOf({ slowAt, shedsAt });
  return {
    slowAt,
    shedsAt,
    highestGood: steps.findLast(({ rate }) => breakingRate === null || rate < breakingRate)?.rate ?? null,
    highestGoodput: Math.max(0, ...steps.map(({ run }) => run.answeredPerSecond)),
  };
}

/** Where a server is not as good any more as it should be: too slow, or refusing; null: nowhere. */
export function breakingRateOf({ slowAt, shedsAt }: Pick<Breaking, 'slowAt' | 'shedsAt'>): number | null {
  if (slowAt === null || shedsAt === null) return slowAt ?? shedsAt;
  return Math.min(slowAt, shedsAt);
}

export function shareOf({ outcomes }: Pick<RunReport, 'outcomes'>, outcome: string): number {
  return (outcomes[outcome] ?? 0) / totalOf(outcomes);
}

/** One line of a ramp. */
export function describeStep({ rate, run }: Step): string {
  const { critical, standard, bulk } = run.classes;
  const p95 = [critical, standard, bulk].map(({ p95Ms, count }) => (count === 0 ? '–' : p95Ms.toFixed(0))).join(', ');
  const others = faultsOf(run.outcomes, ['shed']).map(([outcome, count]) => `, ${count} ${outcome}`);
  const shed = (shareOf(run, 'shed') * 100).toFixed(1);
  return `${rate} req/s: ${run.answeredPerSecond.toFixed(0)} right a second, ${shed} % shed${others.join('')}; p95 critical, standard, bulk ${p95} ms`;
}
