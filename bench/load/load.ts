/** The load that the targets name, at a constant rate: latency by class, errors, wrong answers, CPU, statements, pool. */
import { type BudgetCheck, checkBudgets, reportBudgets } from '../budgets.ts';
import { watchHealth } from '../faults/health-watch.ts';
import type { ServerProcess } from '../faults/server-process.ts';
import { createReport, type Report } from '../inference/report.ts';
import { cpuSeconds } from '../process-cpu.ts';
import { latencyFigures } from './latency-budgets.ts';
import { leftOvers, startLoadedServer } from './loaded-server.ts';
import { createProduction, type Production } from './production.ts';
import { keepResult, tickSeries } from './results.ts';
import { faultsOf, type RunReport, requestClasses, totalOf } from './run-report.ts';
import type { OpenLoop } from './running-load.ts';
import { boundBetween, type PoolFigures, readMetrics, watchPool } from './server-figures.ts';

export interface LoadBenchOptions {
  readonly mix: 'cached' | 'uncached' | 'both';
  /** Requests a second of the cached mix. */
  readonly cachedRate: number;
  readonly uncachedRate: number;
  readonly seconds: number;
  /** Of a growing load before, which is not counted. */
  readonly warmUpSeconds: number;
  /** The folder of the results. */
  readonly out: string;
}

/** Of the rate wanted: a server that has just started compiles, and has nothing in its cache. */
const warmUpShares = [0.1, 0.25, 0.5, 0.75];
const maxConnections = 512;
/** How much less than the rate may be answered, as the last answers come after the end. */
const rateTolerance = 0.99;
const singleRequests = 200;

/** Each mix in its turn; a budget that is missed, a wrong answer and anything left over fail the process at its end. */
export async function benchLoad(options: LoadBenchOptions): Promise<void> {
  const { mix, cachedRate, uncachedRate } = options;
  const report = createReport();
  const production = await createProduction();
  const given = { production, options, report };
  try {
    if (mix !== 'uncached') await measure({ ...given, name: 'cached mix', rate: cachedRate, cachedShare: 1 });
    if (mix !== 'cached') {
      const waiting = await countWaiting(production);
      await measure({ ...given, name: 'uncached mix', rate: uncachedRate, cachedShare: 0, waiting });
    }
  } finally {
    await production.close();
  }
}

interface Measuring {
  readonly production: Production;
  readonly options: LoadBenchOptions;
  readonly report: Report;
  readonly name: string;
  readonly rate: number;
  readonly cachedShare: number;
  /** Statements of single requests that had to wait. */
  readonly waiting?: number;
}

async function measure(given: Measuring): Promise<void> {
  const { production, options, report, name, rate, cachedShare } = given;
  const { seconds, warmUpSeconds, out } = options;
  report.title(`${name}: ${rate} requests a second for ${seconds} s`);
  const { server, load, stop } = await startLoadedServer({
    production,
    cachedShare,
    maxConnections,
    // Otherwise the second request for an object would not be executed.
    environment: cachedShare === 0 ? { RESPONSE_CACHE_BYTES: '0' } : {},
  });
  try {
    await load.run(warmUpShares.map((share) => ({ rate: rate * share, seconds: warmUpSeconds / warmUpShares.length })));
    const figures = await runCounted(server, load, { rate, seconds });
    describe(figures, report);
    const checks = checkBudgets(budgetFigures(figures, given));
    reportBudgets(checks);
    const left = await leftOvers(server);
    report.check(`left over: ${left.join(', ') || 'nothing'}`, 'nothing', left.length === 0);
    await keepResult(out, `load-${name.replace(' ', '-')}`, { name, rate, ...figures }, pageOf(given, figures, checks));
  } finally {
    await stop();
  }
}

/** One request at a time on a pool of 10 where one statement may wait: what is refused needed more than half of the usual 20. */
async function countWaiting(production: Production): Promise<number> {
  const { server, load, stop } = await startLoadedServer({
    production,
    cachedShare: 0,
    maxConnections: 1,
    environment: { RESPONSE_CACHE_BYTES: '0', DATABASE_POOL: '10', DATABASE_QUEUE: '1' },
  });
  try {
    const { outcomes } = await load.run([{ rate: singleRequests / 5, seconds: 5 }]);
    const failures = (await readMetrics(server.origin)).sum('tributary_statement_failures_total');
    return totalOf(Object.fromEntries(faultsOf(outcomes))) + failures;
  } finally {
    await stop();
  }
}

interface Figures {
  readonly run: RunReport;
  readonly cpuShare: number;
  readonly cpuMicroseconds: number;
  /** The bound of the histogram that it is under. */
  readonly statementP95Ms: number;
  readonly pool: PoolFigures;
  readonly healthP95Ms: number;
  readonly healthFailed: number;
}

async function runCounted(
  server: ServerProcess,
  load: OpenLoop,
  wanted: { rate: number; seconds: number },
): Promise<Figures> {
  const health = watchHealth(server.origin);
  const pool = watchPool(server.origin);
  const before = { metrics: await readMetrics(server.origin), cpuSeconds: cpuSeconds(server.pid) };
  const startMs = performance.now();
  const run = await load.run([wanted]);
  const tookSeconds = (performance.now() - startMs) / 1_000;
  const spentSeconds = cpuSeconds(server.pid) - before.cpuSeconds;
  const metrics = await readMetrics(server.origin);
  const { p95Ms: healthP95Ms, failed: healthFailed } = await health.stop();
  return {
    run,
    cpuShare: spentSeconds / tookSeconds,
    cpuMicroseconds: (spentSeconds * 1e6) / totalOf(run.outcomes),
    statementP95Ms: boundBetween(before.metrics, metrics, 'tributary_statement_seconds', 0.95) * 1_000,
    pool: pool.stop(),
    healthP95Ms,
    healthFailed,
  };
}

function describe({ run, cpuMicroseconds, pool, healthFailed }: Figures, report: Report): void {
  for (const kind of requestClasses) {
    const { p50Ms, p95Ms, p99Ms, maxMs, count } = run.classes[kind];
    const shown = [p50Ms, p95Ms, p99Ms].map((ms) => ms.toFixed(1)).join(', ');
    if (count > 0) report.figure(`${kind}: ${count}, p50, p95, p99 ${shown} ms, slowest ${maxMs.toFixed(0)} ms`);
  }
  const faults = faultsOf(run.outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  report.figure(`other than right: ${faults.join(', ') || 'none'}; ${run.compared} answers compared with the database`);
  report.figure(
    `CPU: ${cpuMicroseconds.toFixed(0)} µs a request; pool: at most ${pool.maxRunning} of ${pool.size} connections at work, ${pool.maxWaiting} statements waiting`,
  );
  report.figure(`health checks failed: ${healthFailed}`);
  report.figure(`the load began its requests up to ${run.lateP99Ms.toFixed(1)} ms late (p99): part of the latencies`);
}

function budgetFigures(figures: Figures, { rate, cachedShare, waiting }: Measuring): { id: string; value: number }[] {
  const { run, cpuShare, statementP95Ms, pool, healthP95Ms } = figures;
  const faults = totalOf(Object.fromEntries(faultsOf(run.outcomes)));
  const answered = run.answeredPerSecond >= rateTolerance * rate ? rate : run.answeredPerSecond;
  return [
    { id: cachedShare === 1 ? 'cached-mix-rate' : 'uncached-mix-rate', value: answered },
    ...latencyFigures(run.classes),
    { id: 'error-share', value: (faults * 100) / totalOf(run.outcomes) },
    // Nothing is right that was not looked at.
    { id: 'wrong-answers', value: run.compared === 0 ? Number.NaN : (run.outcomes['wrong answer'] ?? 0) },
    { id: 'cpu-share', value: cpuShare * 100 },
    { id: 'health-checks-p95', value: healthP95Ms },
    { id: 'statement-p95', value: statementP95Ms },
    { id: 'pool-size-least', value: pool.size },
    { id: 'pool-size-most', value: pool.size },
    ...(waiting === undefined ? [] : [{ id: 'pool-waiting', value: waiting }]),
  ];
}

function pageOf({ name, rate, options }: Measuring, figures: Figures, checks: readonly BudgetCheck[]) {
  const { run, cpuMicroseconds } = figures;
  return {
    title: `Load: ${name}`,
    facts: [
      ['load', `${rate} requests a second for ${options.seconds} s, started whatever becomes of those before`],
      ['CPU', `${cpuMicroseconds.toFixed(0)} µs a request`],
      ['compared with the database', `${run.compared} answers`],
    ] as const,
    checks,
    series: tickSeries(run.ticks),
  };
}
