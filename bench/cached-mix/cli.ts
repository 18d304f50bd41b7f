/** 10,000 requests a second of a realistic mix against one server process, on a core of its own. */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../src/testing/free-port.ts';
import { createTestIssuer } from '../../src/testing/test-issuer.ts';
import { type ServerProcess, startServer } from '../faults/server-process.ts';
import { createWorld, type World } from '../faults/world.ts';
import { createReport, type Report } from '../inference/report.ts';
import { mixManifest } from './mix.ts';
import type { LoadOptions, Run, RunReport } from './open-loop.ts';
import { createTenants, type Tenant } from './tenants.ts';

const connections = 64;
const p95LimitMs = 10;
const hitRatioLimit = 0.92;
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
  pin(process.pid, availableParallelism() - 1);
  const report = createReport();
  const world = await createWorld();
  const issuer = await createTestIssuer('EdDSA');
  try {
    const tenants = await createTenants(world.postgres.url, issuer);
    const { REDIS_URL: redisUrl, ...alone } = environmentOf(world, issuer.settings);
    const { rate, seconds, warmUpSeconds, redis } = options;
    report.title(
      `${rate} requests a second for ${seconds} s, after ${warmUpSeconds} s that are not counted: 1,000 trusted documents (zipf ${options.zipf}), 400 viewers of 8 organizations, 1 % writes`,
    );
    if (redis !== 'off') await measure('with Redis', { ...alone, REDIS_URL: redisUrl! }, { tenants, options, report });
    if (redis !== 'on') await measure('one process', alone, { tenants, options, report });
  } finally {
    await Promise.all([world.close(), issuer.close()]);
  }
}

/** As in production, but for quotas: all of the load comes from one address. */
function environmentOf(world: World, settings: Awaited<ReturnType<typeof createTestIssuer>>['settings']) {
  const path = join(world.environment.DATA_DIR!, 'trusted-documents.json');
  mkdirSync(world.environment.DATA_DIR!, { recursive: true });
  writeFileSync(path, JSON.stringify(mixManifest()));
  const { jwksUrl, issuer, audience, algorithms } = settings;
  return {
    ...world.environment,
    NODE_ENV: 'production',
    DRAIN_DELAY_MS: '0',
    AUTH_JWKS_URL: jwksUrl,
    AUTH_ISSUER: issuer,
    AUTH_AUDIENCE: audience,
    AUTH_ALGORITHMS: algorithms.join(','),
    TRUSTED_DOCUMENTS: 'only',
    TRUSTED_DOCUMENTS_PATH: path,
    RESPONSE_CACHE_BYTES: String(256 * 2 ** 20),
  } as Record<string, string>;
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
  pin(server.pid, 0);
  const load = startLoad({ port, tenants, connections, zipfExponent: zipf });
  try {
    for (const share of warmUpShares) {
      await load.run({ rate: rate * share, seconds: warmUpSeconds / warmUpShares.length });
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

async function runCounted(server: ServerProcess, load: Load, wanted: Run): Promise<Figures> {
  const before = await countersOf(server);
  const startMs = performance.now();
  const run = await load.run(wanted);
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
  const faults = Object.entries(run.faults).map(([fault, count]) => `${count} ${fault}`);
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  report.figure(
    `${label}: ${Math.round(run.answeredPerSecond)} req/s answered, p50 ${run.p50Ms.toFixed(1)} ms, p95 ${run.p95Ms.toFixed(1)} ms, p99 ${run.p99Ms.toFixed(1)} ms, slowest ${run.maxMs.toFixed(0)} ms; begun up to ${run.lateP99Ms.toFixed(1)} ms late (p99)`,
  );
  const cpuMicroseconds = (cpuShare * 1e6) / run.answeredPerSecond;
  report.figure(
    `${label}: ${Math.round(cpuShare * 100)} % of a core, ${Math.round(cpuMicroseconds)} µs a request; RSS ${Math.round(rssMiB)} MiB`,
  );
  report.check(`${label}: ${faults.join(', ') || 'no errors'}`, '0 errors', faults.length === 0);
  const ratio = unexecuted / looks;
  report.check(
    `${label}: hit ratio ${(ratio * 100).toFixed(1)} % (${counts.join(', ')})`,
    `> ${hitRatioLimit * 100} %`,
    ratio > hitRatioLimit,
  );
}

function isReached({ answeredPerSecond, p95Ms, faults }: RunReport, rate: number): boolean {
  return answeredPerSecond >= 0.99 * rate && p95Ms < p95LimitMs && Object.keys(faults).length === 0;
}

/** In short runs, downwards; 0: none of them. */
async function highestRate(load: Load, wanted: number): Promise<number> {
  for (const share of rampShares) {
    const rate = Math.round(wanted * share);
    if (isReached(await load.run({ rate, seconds: rampSeconds }), rate)) return rate;
  }
  return 0;
}

interface Load {
  run(wanted: Run): Promise<RunReport>;
  stop(): void;
}

function startLoad(options: LoadOptions): Load {
  const child = fork(fileURLToPath(new URL('./open-loop.ts', import.meta.url)));
  child.send(options);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the load ended with ${code}`);
  });
  ended.catch(() => {});
  return {
    async run(wanted) {
      child.send(wanted);
      const [report] = await Promise.race([once(child, 'message'), ended]);
      return report as RunReport;
    },
    stop: () => void child.kill(),
  };
}

async function countersOf(server: ServerProcess) {
  const text = await (await fetch(`${server.origin}/metrics`)).text();
  const outcomes: Record<string, number> = {};
  for (const [, outcome, count] of text.matchAll(/^tributary_cache_answers_total\{.*?outcome="(\w+)".*?\} (\d+)/gm)) {
    outcomes[outcome!] = (outcomes[outcome!] ?? 0) + Number(count);
  }
  return { outcomes, cpuSeconds: Number(/^process_cpu_seconds_total ([\d.e-]+)/m.exec(text)?.[1]) };
}

/** What a process starts later is pinned with it; nothing happens where that cannot be said. */
function pin(pid: number, core: number): void {
  try {
    execFileSync('taskset', ['-apc', String(core), String(pid)], { stdio: 'ignore' });
  } catch {
    console.warn('taskset is not there: the server shares its core with the load');
  }
}
