import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWorkerEngine } from '../../src/inference/worker-engine.ts';
import { checkBudgets, reportBudgets } from '../budgets.ts';
import { benchPage } from './page.ts';
import { benchProviders } from './providers.ts';
import { createReport, type Report } from './report.ts';
import { benchSoak } from './soak.ts';
import { type BudgetFigure, benchIdle, benchOverload, benchSaturated, type SpeedOptions } from './speed.ts';
import { createWorkloads, type Workloads } from './workload.ts';

const parts = ['idle', 'saturated', 'overload', 'page', 'providers', 'soak'] as const;

export interface InferenceBenchFlags {
  /** With a model of 22.6 million weights too. */
  readonly heavy?: boolean;
  /** Of each measurement. */
  readonly seconds: number;
  /** Of the soak. */
  readonly minutes: number;
}

/** The engine by itself and below the server, each figure beside its target; fails when a target is missed. */
export async function benchInference(names: readonly string[], flags: InferenceBenchFlags): Promise<void> {
  const unknown = names.filter((name) => !parts.some((part) => part === name));
  if (unknown.length > 0 || !(flags.seconds > 0) || !(flags.minutes > 0)) {
    console.error(`expected some of ${parts.join(', ')}, and seconds and minutes above 0`);
    process.exitCode = 1;
    return;
  }
  const isWanted = (part: (typeof parts)[number]) => names.length === 0 || names.includes(part);
  const report = createReport();
  const directory = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  try {
    const workloads = await createWorkloads(directory, flags.heavy === true);
    const figures = await benchSpeed(workloads, flags.seconds, report, isWanted);
    if (isWanted('page')) await benchPage(report);
    if (isWanted('providers')) {
      const { forecast, small, heavy } = workloads;
      await benchProviders([forecast, small, ...(heavy === null ? [] : [heavy])], flags.seconds, report);
    }
    if (isWanted('soak')) await benchSoak(workloads, flags.minutes, report);
    if (figures.length > 0) {
      report.title('Budgets, each for the model that is worst');
      reportBudgets(checkBudgets(worstOfEach(figures)));
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  if (flags.heavy !== true) report.title('Not measured: the heavy model; add --heavy.');
}

async function benchSpeed(
  { repository, sentiment, forecast, small, heavy }: Workloads,
  seconds: number,
  report: Report,
  isWanted: (part: 'idle' | 'saturated' | 'overload') => boolean,
): Promise<BudgetFigure[]> {
  const figures: BudgetFigure[] = [];
  const workers = Math.max(1, Math.min(4, availableParallelism() - 1));
  const engine = await createWorkerEngine({ repository, workers });
  try {
    const options: SpeedOptions = { engine, workers, seconds, report };
    const heavyToo = heavy === null ? [] : [heavy];
    if (isWanted('idle')) {
      report.title('Idle: p50 of one prediction');
      for (const workload of [sentiment, forecast, small, ...heavyToo]) {
        figures.push(...(await benchIdle(options, workload)));
      }
    }
    if (isWanted('saturated')) {
      report.title(`Saturated: callers of one row, ${workers} worker threads, medians of rounds`);
      for (const workload of [sentiment, forecast, small, ...heavyToo]) await benchSaturated(options, workload);
    }
    if (isWanted('overload')) {
      report.title('Overload: twice the maximum');
      // Of the shipped models one thread cannot ask for twice as much in calls of one row.
      for (const workload of [sentiment, forecast]) figures.push(await benchOverload(options, workload, 64));
      for (const workload of [small, ...heavyToo]) figures.push(await benchOverload(options, workload, 1));
    }
    return figures;
  } finally {
    await engine.close();
  }
}

/** Of each budget the largest figure, in the order in which they first came. */
function worstOfEach(figures: readonly BudgetFigure[]): BudgetFigure[] {
  const worst = new Map<string, number>();
  for (const { id, value } of figures) worst.set(id, Math.max(value, worst.get(id) ?? value));
  return [...worst].map(([id, value]) => ({ id, value }));
}
