/** The load that the targets name, at a constant rate: latency by class, errors, wrong answers, CPU, statements, pool. */
import { watchHealth } from '../faults/health-watch.ts';
import type { ServerProcess } from '../faults/server-process.ts';
import { createReport, type Report } from '../inference/report.ts';
import { budgetsOf } from './latency-budgets.ts';
import { leftOvers, startLoadedServer } from './loaded-server.ts';
import { createProduction, type Production } from './production.ts';
import { keepResult } from './results.ts';
import { faultsOf, type RunReport, requestClasses, totalOf } from './run-report.ts';
import type { OpenLoop } from './running-load.ts';
import { boundBetween, cpuMicrosecondsOf, type PoolFigures, readMetrics, watchPool } from './server-figures.ts';

export interface LoadBenchOptions {
  readonly mix: 'cached' | 'uncached' | 'both';
  /** Requests a second of the cached mix. */
  readonly cachedRate: number;
  readonly uncachedRate: number;
  readonly seconds: number;
  /** Of a growing load before, which is not counted. */
  readonly warmUpSeconds: number;
  /** Where the results go. */
  readonly out: string;
}

/** Of the rate wanted: a server that has just started compiles, and has nothing in its cache. */
const warmUpShares = [0.1, 0.25, 0.5, 0.75];
const maxConnections = 512;
const errorShareLimit = 0.001;
const cpuShareLimit = 0.8;
const statementLimitSeconds = 0.05;
const healthLimitMs = 50;
/** Of a rate: what is answered may be that much less, as the last answers come after the end. */
const rateTolerance = 0.99;

export async function benchLoad(options: LoadBenchOptions): Promise<void> {
  const { mix, cachedRate, uncachedRate } = options;
  const report = createReport();
  const production = await createProduction();
  try {
    const results: object[] = [];
    if (mix !== 'uncached') results.push(await measure('cached mix', cachedRate, 1, { production, options, report }));
    if (mix !== 'cached') results.push(await measure('uncached mix', uncachedRate, 0, { production, options, report }));
    keepResult(options.out, 'load', { options, results });
  } finally {
    await production.close();
  }
}

interface Measuring {
  readonly production: Production;
  readonly options: LoadBenchOptions;
  readonly report: Report;
}

async function measure(
  name: string,
  rate: number,
  cachedShare: number,
  { production, options, report }: Measuring,
): Promise<object> {
  const { seconds, warmUpSeconds } = options;
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
    describe(figures, rate, report);
    const left = await leftOvers(server);
    report.check(`left over: ${left.join(', ') || 'nothing'}`, 'nothing', left.length === 0);
    return { name, rate, ...figures };
  } finally {
    await stop();
  }
}

interface Figures {
  readonly run: RunReport;
  readonly cpuShare: number;
  readonly cpuMicroseconds: number;
  /** The bound of the histogram that it is under. */
  readonly statementP95Seconds: number;
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
  const before = { metrics: await readMetrics(server.origin), cpu: cpuMicrosecondsOf(server.pid) };
  const startMs = performance.now();
  const run = await load.run([wanted]);
  const tookMs = performance.now() - startMs;
  const cpu = cpuMicrosecondsOf(server.pid) - before.cpu;
  const metrics = await readMetrics(server.origin);
  const { p95Ms: healthP95Ms, failed: healthFailed } = await health.stop();
  return {
    run,
    cpuShare: cpu / 1_000 / tookMs,
    cpuMicroseconds: cpu / totalOf(run.outcomes),
    statementP95Seconds: boundBetween(before.metrics, metrics, 'tributary_statement_seconds', 0.95),
    pool: pool.stop(),
    healthP95Ms,
    healthFailed,
  };
}

function describe(figures: Figures, rate: number, report: Report): void {
  const { run, cpuShare, cpuMicroseconds, statementP95Seconds, pool, healthP95Ms, healthFailed } = figures;
  const { answeredPerSecond } = run;
  report.check(
    `${answeredPerSecond.toFixed(0)} right answers a second`,
    `${rate}`,
    answeredPerSecond >= rate * rateTolerance,
  );
  for (const kind of requestClasses) {
    const latencies = run.classes[kind];
    if (latencies.count === 0) continue;
    const { p50Ms, p95Ms, p99Ms, maxMs, count } = latencies;
    const shown = [p50Ms, p95Ms, p99Ms].map((ms) => ms.toFixed(1)).join(', ');
    const budgets = budgetsOf(kind);
    report.check(
      `${kind} (${count}): p50, p95, p99 ${shown} ms, slowest ${maxMs.toFixed(0)} ms`,
      budgets.map(([name, limitMs]) => `${name.slice(0, -2)} < ${limitMs} ms`).join(', '),
      budgets.every(([name, limitMs]) => latencies[name] < limitMs),
    );
  }
  const faults = faultsOf(run.outcomes);
  const errors = faults.reduce((sum, [, count]) => sum + count, 0);
  const share = errors / totalOf(run.outcomes);
  const listed = faults.map(([outcome, count]) => `, ${count} ${outcome}`).join('');
  report.check(
    `errors: ${(share * 100).toFixed(3)} %${listed}`,
    `< ${errorShareLimit * 100} %`,
    share < errorShareLimit,
  );
  const wrong = run.outcomes['wrong answer'] ?? 0;
  const isCompared = run.compared > 0 || run.classes.standard.count === 0;
  report.check(`wrong answers: ${wrong} of ${run.compared} compared`, '0', wrong === 0 && isCompared);
  report.check(
    `CPU: ${(cpuShare * 100).toFixed(0)} % of a core, ${cpuMicroseconds.toFixed(0)} µs a request`,
    `< ${cpuShareLimit * 100} %`,
    cpuShare < cpuShareLimit,
  );
  report.check(
    `statements: p95 up to ${statementP95Seconds * 1_000} ms`,
    `< ${statementLimitSeconds * 1_000} ms`,
    !(statementP95Seconds > statementLimitSeconds),
  );
  report.check(
    `pool: at most ${pool.maxRunning} of ${pool.size} connections at work, ${pool.maxWaiting} statements waiting`,
    'never exhausted',
    pool.maxWaiting === 0,
  );
  report.check(
    `health checks: p95 ${healthP95Ms.toFixed(1)} ms, ${healthFailed} failed`,
    `< ${healthLimitMs} ms`,
    healthP95Ms < healthLimitMs && healthFailed === 0,
  );
  report.figure(
    `the load began its requests up to ${run.lateP99Ms.toFixed(1)} ms late (p99), which is in the latencies`,
  );
}
