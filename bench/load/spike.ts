/** From a tenth of the breaking rate to five times it and back: what becomes of the requests, and how long until normal. */
import { createReport, type Report } from '../inference/report.ts';
import { secondsUntilNormal } from './latency-budgets.ts';
import { leftOvers, startLoadedServer } from './loaded-server.ts';
import { createProduction } from './production.ts';
import { breakingRateOf, describeStep, findBreaking, rampUp } from './ramp.ts';
import { keepResult, tickSeries } from './results.ts';
import { type RunReport, totalOf } from './run-report.ts';
import type { OpenLoop } from './running-load.ts';

export interface SpikeOptions {
  readonly mix: 'cached' | 'uncached';
  /** Requests a second; by default it is looked for first. */
  readonly breakingRate?: number;
  /** Of that search, requests a second of the first step. */
  readonly from: number;
  /** Of the spike. */
  readonly seconds: number;
  /** The folder of the results. */
  readonly out: string;
}

const maxConnections = 8_000;
const calmShare = 0.1;
const spikeFactor = 5;
const calmSeconds = 5;
const afterSeconds = 30;
const recoveryLimitSeconds = 10;
const searchStepSeconds = 4;
const searchMost = 50_000;
const timeOuts = ['timed out', 'TIMEOUT'];
/** Of the spike; the rest is to be answered or refused. */
const timeOutShareLimit = 0.01;

export async function benchSpike(options: SpikeOptions): Promise<void> {
  const { mix, seconds, out } = options;
  const report = createReport();
  const production = await createProduction();
  try {
    const { server, load, stop } = await startLoadedServer({
      production,
      cachedShare: mix === 'cached' ? 1 : 0,
      maxConnections,
      environment: mix === 'cached' ? {} : { RESPONSE_CACHE_BYTES: '0' },
    });
    try {
      report.title(`spike: the ${mix} mix`);
      const breakingRate = options.breakingRate ?? (await findBreakingRate(load, options, report));
      const calm = { rate: breakingRate * calmShare };
      const run = await load.run([
        { ...calm, seconds: calmSeconds },
        { rate: breakingRate * spikeFactor, seconds },
        { ...calm, seconds: afterSeconds },
      ]);
      const recoverySeconds = secondsUntilNormal(run.ticks, (calmSeconds + seconds) * 1_000);
      describe(run, { breakingRate, recoverySeconds }, report);
      const left = await leftOvers(server);
      report.check(`left over: ${left.join(', ') || 'nothing'}`, 'nothing', left.length === 0);
      await keepResult(
        out,
        `spike-${mix}`,
        { options, breakingRate, recoverySeconds, left, run },
        {
          title: `Spike: ${mix} mix`,
          facts: [
            [
              'spike',
              `${breakingRate * spikeFactor} requests a second for ${seconds} s, ${calm.rate} before and after`,
            ],
            ['normal again', recoverySeconds === null ? 'never' : `${recoverySeconds} s after it`],
          ],
          series: tickSeries(run.ticks),
        },
      );
    } finally {
      await stop();
    }
  } finally {
    await production.close();
  }
}

async function findBreakingRate(load: OpenLoop, { from }: SpikeOptions, report: Report): Promise<number> {
  const ramp = { from, stepSeconds: searchStepSeconds, most: searchMost };
  const steps = await rampUp(load, ramp, (step) => report.figure(describeStep(step)));
  return breakingRateOf(findBreaking(steps)) ?? steps.at(-1)!.rate;
}

interface Found {
  readonly breakingRate: number;
  /** null: never. */
  readonly recoverySeconds: number | null;
}

function describe(run: RunReport, { breakingRate, recoverySeconds }: Found, report: Report): void {
  const names = ['before', `at ${breakingRate * spikeFactor} req/s`, 'after'];
  for (const [phase, outcomes] of run.phaseOutcomes.entries()) {
    const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
    report.figure(`${names[phase]}: ${counts.join(', ')}`);
  }
  const { ok = 0, shed = 0, ...others } = run.outcomes;
  const late = timeOuts.reduce((sum, name) => sum + (others[name] ?? 0), 0);
  const failed = totalOf(others) - late;
  report.check(`lost, failed or wrong: ${failed} of ${ok + shed + late + failed}`, '0', failed === 0);
  const lateShare = late / totalOf(run.outcomes);
  report.check(
    `timed out: ${late}, ${(lateShare * 100).toFixed(2)} %`,
    `<= ${timeOutShareLimit * 100} %`,
    lateShare <= timeOutShareLimit,
  );
  report.check(
    `normal again ${recoverySeconds === null ? 'never' : `${recoverySeconds} s`} after the spike`,
    `<= ${recoveryLimitSeconds} s`,
    recoverySeconds !== null && recoverySeconds <= recoveryLimitSeconds,
  );
  report.figure(`${run.compared} answers compared with the database`);
}
