/** 10,000 requests a second of a realistic mix against one server process, on a core of its own. */
import { readFileSync } from 'node:fs';
import { findFreePort } from '../../src/testing/free-port.ts';
import { findBudget } from '../budgets.ts';
import { type ServerProcess, startServer } from '../faults/server-process.ts';
import { createReport, type Report } from '../inference/report.ts';
import { createProduction } from '../load/production.ts';
import { faultsOf, type RunReport } from '../load/run-report.ts';
import { type OpenLoop, startOpenLoop } from '../load/running-load.ts';
import { pin, serverCore } from '../process-cpu.ts';
import type { Phase } from '../suite/open-loop.ts';
import type { Tenant } from './tenants.ts';

const connections = 64;
const p95LimitMs = 10;
/** Of the rate wanted, one after the other while nothing is kept yet: a server that has to make every answer makes few. */
const warmUpShares = [0.05, 0.1, 0.2, 0.4, 0.6];
/** Of the rate wanted, where it cannot be reached. */
const rampShares = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1];
const rampSeconds = 5;

export interface CachedMixOptions {
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
  /** Of the same load before, which is not counted. */
  readonly warmUpSeconds: number;
  /** Of the popularity of documents with their variables: the higher, the more of the load is for few of them. */
  readonly zipf: number;
  /** on, off, or both in turns. */
  readonly redis: 'on' | 'off' | 'both';
  /** Where the server leaves a profile of its CPU, which takes some of it. */
  readonly profile?: string;
}

export async function benchCachedMix(options: CachedMixOptions): Promise<void> {
  const report = createReport();
  const production = await createProduction();
  try {
    const { tenants } = production;
    const { REDIS_URL: redisUrl, ...alone } = production.environment;
    const { rate, seconds, warmUpSeconds, redis } = options;
    report.title(
      `${rate} requests a second for ${seconds} s, after ${warmUpSeconds} s that are not counted: 1,000 trusted documents (zipf ${options.zipf}), 400 viewers of 8 organizations, 1 % writes`,
    );
    if (redis !== 'off') await measure('with Redis', { ...alone, REDIS_URL: redisUrl! }, { tenants, options, report });
    if (redis !== 'on') await measure('one process', alone, { tenants, options, report });
  } finally {
    await production.close();
  }
}

interface Measuring {
  tenants: readonly Tenant[];
  options: CachedMixOptions;
  report: Report;
}

async function measure(
  label: string,
  environment: Record<string, string>,
  { tenants, options, report }: Measuring,
): Promise<void> {
  const { rate, seconds, warmUpSeconds, zipf, profile } = options;
  const profiling = profile && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` };
  const port = await findFreePort();
  const server = await startServer(port, { ...environment, ...profiling });
  pin(server.pid, serverCore);
  const load = await startOpenLoop({
    port,
    tenants,
    maxConnections: connections,
    cachedShare: 1,
    zipfExponent: zipf,
    databaseUrl: environment.DATABASE_URL!,
  });
  try {
    for (const share of warmUpShares) {
      await load.run([{ rate: rate * share, seconds: warmUpSeconds / warmUpShares.length }]);
    }
    const figures = await runCounted(server, load, { rate, seconds });
    describe(label, figures, report);
    const isMet = isReached(figures.run, rate);
    report.check(`${label}: ${rate} req/s with p95 below ${p95LimitMs} ms`, 'reached', isMet);
    if (!isMet) report.figure(`highest that is: ${await highestRate(load, rate)} req/s`);
  } finally {
    load.stop();
    await server.stop();
  }
}

interface Figures {
  run: RunReport;
  outcomes: Readonly<Record<string, number>>;
  cpuShare: number;
  rssMiB: number;
}

async function runCounted(server: ServerProcess, load: OpenLoop, wanted: Phase): Promise<Figures> {
  const before = await countersOf(server);
  const startMs = performance.now();
  const run = await load.run([wanted]);
  const tookSeconds = (performance.now() - startMs) / 1_000;
  const after = await countersOf(server);
  const names = Object.keys(after.outcomes);
  const rssKiB = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]);
  return {
    run,
    outcomes: Object.fromEntries(names.map((name) => [name, after.outcomes[name]! - (before.outcomes[name] ?? 0)])),
    cpuShare: (after.cpuSeconds - before.cpuSeconds) / tookSeconds,
    rssMiB: rssKiB / 1_024,
  };
}

function describe(label: string, { run, outcomes, cpuShare, rssMiB }: Figures, report: Report): void {
  const looks = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  const unexecuted = (outcomes.hit ?? 0) + (outcomes.stale ?? 0) + (outcomes.shared ?? 0);
  const faults = faultsOf(run.outcomes).map(([fault, count]) => `${count} ${fault}`);
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  report.figure(
    `${label}: ${Math.round(run.answeredPerSecond)} req/s answered, p50 ${run.all.p50Ms.toFixed(1)} ms, p95 ${run.all.p95Ms.toFixed(1)} ms, p99 ${run.all.p99Ms.toFixed(1)} ms, slowest ${run.all.maxMs.toFixed(0)} ms; begun up to ${run.lateP99Ms.toFixed(1)} ms late (p99)`,
  );
  const cpuMicroseconds = (cpuShare * 1e6) / run.answeredPerSecond;
  report.figure(
    `${label}: ${Math.round(cpuShare * 100)} % of a core, ${Math.round(cpuMicroseconds)} µs a request; RSS ${Math.round(rssMiB)} MiB`,
  );
  report.check(`${label}: ${faults.join(', ') || 'no errors'}`, '0 errors', faults.length === 0);
  const { bound } = findBudget('cache-hit-ratio');
  const percent = (unexecuted * 100) / looks;
  report.check(`${label}: hit ratio ${percent.toFixed(1)} % (${counts.join(', ')})`, `> ${bound} %`, percent > bound);
}

function isReached({ answeredPerSecond, all, outcomes }: RunReport, rate: number): boolean {
  return answeredPerSecond >= 0.99 * rate && all.p95Ms < p95LimitMs && faultsOf(outcomes).length === 0;
}

/** In short runs, downwards; 0: none of them. */
async function highestRate(load: OpenLoop, wanted: number): Promise<number> {
  for (const share of rampShares) {
    const rate = Math.round(wanted * share);
    if (isReached(await load.run([{ rate, seconds: rampSeconds }]), rate)) return rate;
  }
  return 0;
}

async function countersOf(server: ServerProcess) {
  const text = await (await fetch(`${server.origin}/metrics`)).text();
  const outcomes: Record<string, number> = {};
  for (const [, outcome, count] of text.matchAll(/^tributary_cache_answers_total\{.*?outcome="(\w+)".*?\} (\d+)/gm)) {
    outcomes[outcome!] = (outcomes[outcome!] ?? 0) + Number(count);
  }
  return { outcomes, cpuSeconds: Number(/^process_cpu_seconds_total ([\d.e-]+)/m.exec(text)?.[1]) };
}
