/** Both mixes with their writes for a long time: whether memory, handles and delays stay what they are. */
import { defaultCacheBytes } from '../../src/config.ts';
import { createReport } from '../inference/report.ts';
import { describeEndurance, slopeMinutes } from './endurance-report.ts';
import { type LoadedServer, leftOvers, startLoadedServer } from './loaded-server.ts';
import { openProbe, type Probe, type ProcessFigures, probeModule } from './probe-client.ts';
import { createProduction } from './production.ts';
import type { RunReport } from './run-report.ts';
import { readMetrics } from './server-figures.ts';

export interface EnduranceOptions {
  readonly minutes: number;
  /** Requests a second of the cached mix. */
  readonly cachedRate: number;
  readonly uncachedRate: number;
  /** Keeps a kilobyte of each request, so that it can be seen to be caught. */
  readonly plantLeak: boolean;
  /** The folder of the results. */
  readonly out: string;
}

/** After each part of the load. */
export interface EnduranceSample extends ProcessFigures {
  /** Since the load began. */
  readonly atSeconds: number;
  readonly poolRunning: number;
  readonly poolWaiting: number;
  readonly keptAnswers: number;
  readonly keptBytes: number;
  /** Since the start: how often all answers were dropped at once. */
  readonly timesEmptied: number;
  readonly requestsPerSecond: number;
  readonly p95Ms: Readonly<Record<'critical' | 'standard', number>>;
}

export interface EnduranceResult {
  readonly samples: readonly EnduranceSample[];
  /** After a full collection, at half of the time and at its end. */
  readonly halfTime: ProcessFigures;
  readonly end: ProcessFigures;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly compared: number;
  readonly left: readonly string[];
  /** What the server wrote last, from warnings on. */
  readonly log: string;
}

/** Of answers, in shorter runs: so few that they are full at half time. */
const shortCacheBytes = 8 * 2 ** 20;
const maxConnections = 256;
const warmUpSeconds = 20;
/** Of samples; fewer are less than a second apart in a short run. */
const sampleCount = 240;
/** What is beyond saving is stopped before it takes the machine with it. */
const rssLimitBytes = 2 * 2 ** 30;

export async function benchEndurance(options: EnduranceOptions): Promise<void> {
  const { cachedRate, uncachedRate, minutes, plantLeak } = options;
  const report = createReport();
  const production = await createProduction();
  try {
    report.title(`endurance: ${cachedRate} cached and ${uncachedRate} uncached requests a second for ${minutes} min`);
    const loaded = await startLoadedServer({
      production,
      cachedShare: cachedRate / (cachedRate + uncachedRate),
      maxConnections,
      preloads: [probeModule, ...(plantLeak ? [new URL('./leak.ts', import.meta.url)] : [])],
      environment: { RESPONSE_CACHE_BYTES: String(minutes < slopeMinutes ? shortCacheBytes : defaultCacheBytes) },
    });
    try {
      const probe = await openProbe(loaded.server.pid);
      const result = await endure(loaded, probe, options);
      probe.close();
      await describeEndurance(result, options, report);
    } finally {
      await loaded.stop();
    }
  } finally {
    await production.close();
  }
}

async function endure(
  { server, load }: LoadedServer,
  probe: Probe,
  { cachedRate, uncachedRate, minutes }: EnduranceOptions,
): Promise<EnduranceResult> {
  const rate = cachedRate + uncachedRate;
  const sampleSeconds = Math.max(1, Math.round((minutes * 60) / sampleCount));
  await load.run([
    { rate: rate / 4, seconds: warmUpSeconds / 2 },
    { rate: rate / 2, seconds: warmUpSeconds / 2 },
  ]);
  await probe.look();
  const samples: EnduranceSample[] = [];
  const outcomes: Record<string, number> = {};
  let compared = 0;
  let halfTime: ProcessFigures | null = null;
  const startMs = performance.now();
  const elapsedSeconds = () => (performance.now() - startMs) / 1_000;
  while (elapsedSeconds() < minutes * 60) {
    const run = await load.run([{ rate, seconds: sampleSeconds }]);
    for (const [outcome, count] of Object.entries(run.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    compared += run.compared;
    samples.push({ ...(await probe.look()), ...(await sampleOf(run, server.origin)), atSeconds: elapsedSeconds() });
    showProgress(samples.at(-1)!, minutes);
    if (samples.at(-1)!.rssBytes > rssLimitBytes) break;
    if (halfTime === null && elapsedSeconds() >= minutes * 30) halfTime = await probe.collect();
  }
  process.stderr.write('\n');
  const left = await leftOvers(server);
  const end = await probe.collect();
  return { samples, halfTime: halfTime ?? end, end, outcomes, compared, left, log: server.output() };
}

async function sampleOf(run: RunReport, origin: string) {
  const metrics = await readMetrics(origin);
  const { critical, standard } = run.classes;
  return {
    poolRunning: metrics.sum('tributary_pool_running'),
    poolWaiting: metrics.sum('tributary_pool_waiting'),
    keptAnswers: metrics.sum('tributary_cache_count'),
    keptBytes: metrics.sum('tributary_cache_bytes'),
    timesEmptied: metrics.sum('tributary_cache_changes_total', 'of="all"'),
    requestsPerSecond: run.answeredPerSecond,
    p95Ms: { critical: critical.p95Ms, standard: standard.p95Ms },
  };
}

function showProgress({ atSeconds, rssBytes, requestsPerSecond }: EnduranceSample, minutes: number): void {
  const shown = `${(atSeconds / 60).toFixed(1)} of ${minutes} min: RSS ${(rssBytes / 2 ** 20).toFixed(0)} MiB, ${requestsPerSecond.toFixed(0)} right answers a second`;
  process.stderr.write(process.stderr.isTTY ? `\r${shown}   ` : '');
}
