/** Up in steps to the breaking point and into overload, and back down: where it breaks, and that nothing of it stays. */

import { createReport, type Report } from '../inference/report.ts';
import type { Phase } from '../suite/open-loop.ts';
import { p95Budgets, secondsUntilNormal } from './latency-budgets.ts';
import { type LoadedServer, leftOvers, startLoadedServer } from './loaded-server.ts';
import { openProbe, type Probe, type ProcessFigures, probeModule } from './probe-client.ts';
import { createProduction } from './production.ts';
import { type Breaking, breakingRateOf, describeStep, findBreaking, rampUp, type Step } from './ramp.ts';
import { keepResult, tickSeries } from './results.ts';
import { faultsOf, type RunReport } from './run-report.ts';

export interface StressOptions {
  readonly mix: 'cached' | 'uncached';
  /** Requests a second of the first step. */
  readonly from: number;
  /** Requests a second, at most. */
  readonly most: number;
  readonly stepSeconds: number;
  /** At half of the breaking rate, at the end. */
  readonly recoverySeconds: number;
  /** The folder of the results. */
  readonly out: string;
}

/** As many clients as the server lets requests in, and as many again. */
const maxConnections = 4_000;
const recoveryLimitSeconds = 5;
const heapGrowthLimitMib = 32;
const warmUpSeconds = 20;
/** Of what becomes of a request in overload: it is refused, which is right, or it takes longer than it may. */
const overloadOutcomes = ['shed', 'timed out', 'TIMEOUT'];

export async function benchStress(options: StressOptions): Promise<void> {
  const { mix, out } = options;
  const report = createReport();
  const production = await createProduction();
  try {
    report.title(
      `stress: the ${mix} mix, from ${options.from} requests a second, in steps of ${options.stepSeconds} s`,
    );
    const loaded = await startLoadedServer({
      production,
      cachedShare: mix === 'cached' ? 1 : 0,
      maxConnections,
      preloads: [probeModule],
      environment: mix === 'cached' ? {} : { RESPONSE_CACHE_BYTES: '0' },
    });
    try {
      const probe = await openProbe(loaded.server.pid);
      const result = await stress(loaded, probe, { options, report });
      probe.close();
      await keepResult(out, `stress-${mix}`, { options, ...result }, pageOf(options, result));
    } finally {
      await loaded.stop();
    }
  } finally {
    await production.close();
  }
}

interface Stressing {
  readonly options: StressOptions;
  readonly report: Report;
}

interface StressResult {
  readonly steps: readonly Step[];
  readonly breaking: Breaking;
  /** From the highest step down, and then at half of the breaking rate. */
  readonly down: RunReport;
  readonly phases: readonly Phase[];
  /** null: never. */
  readonly recoverySeconds: number | null;
  readonly before: ProcessFigures;
  readonly after: ProcessFigures;
  readonly left: readonly string[];
}

async function stress(
  { server, load }: LoadedServer,
  probe: Probe,
  { options, report }: Stressing,
): Promise<StressResult> {
  await load.run([{ rate: options.from, seconds: warmUpSeconds }]);
  const before = await probe.collect();
  const steps = await rampUp(load, options, (step) => report.figure(describeStep(step)));
  const breaking = findBreaking(steps);
  const breakingRate = breakingRateOf(breaking) ?? steps.at(-1)!.rate;
  const phases = phasesDown(steps, breakingRate, options);
  const down = await load.run(phases);
  const downMs = phases.slice(0, -1).reduce((sum, { seconds }) => sum + seconds * 1_000, 0);
  const recoverySeconds = secondsUntilNormal(down.ticks, downMs);
  const left = await leftOvers(server);
  const result = { steps, breaking, down, phases, recoverySeconds, before, after: await probe.collect(), left };
  describe(result, breakingRate, report);
  return result;
}

/** In one run, so that what waits from one step is there in the next. */
function phasesDown(
  steps: readonly Step[],
  breakingRate: number,
  { stepSeconds, recoverySeconds }: StressOptions,
): Phase[] {
  const half = Math.ceil(breakingRate / 2);
  const rates = steps.map(({ rate }) => rate).filter((rate) => rate > half);
  return [
    ...rates.toReversed().map((rate) => ({ rate, seconds: stepSeconds })),
    { rate: half, seconds: recoverySeconds },
  ];
}

function describe(result: StressResult, breakingRate: number, report: Report): void {
  const { steps, breaking, down, recoverySeconds, before, after, left } = result;
  const { slowAt, shedsAt, highestGood, highestGoodput } = breaking;
  const shown = (rate: number | null) => (rate === null ? 'at no step' : `at ${rate} req/s`);
  report.figure(
    `p95 leaves its budget ${shown(slowAt)}, requests are shed ${shown(shedsAt)}; good up to ${highestGood ?? 0} req/s, goodput at most ${highestGoodput.toFixed(0)} req/s`,
  );
  report.figure(`at ${Math.ceil(breakingRate / 2)} req/s again: ${JSON.stringify(down.phaseOutcomes.at(-1))}`);
  report.check(
    `back in the budgets ${recoverySeconds === null ? 'never' : `${recoverySeconds} s`} after the return to half of it`,
    `<= ${recoveryLimitSeconds} s`,
    recoverySeconds !== null && recoverySeconds <= recoveryLimitSeconds,
  );
  const faults = [...steps.map(({ run }) => run), down].flatMap(({ outcomes }) => faultsOf(outcomes, overloadOutcomes));
  report.check(`lost, failed or wrong: ${sumByName(faults)}`, 'none', faults.length === 0);
  const compared = steps.reduce((sum, { run }) => sum + run.compared, down.compared);
  report.figure(`${compared} answers compared with the database`);
  const heapMib = (figures: ProcessFigures) => figures.heapUsedBytes / 2 ** 20;
  report.check(
    `heap after a collection: ${heapMib(before).toFixed(0)} MiB before, ${heapMib(after).toFixed(0)} MiB after; RSS ${(after.rssBytes / 2 ** 20).toFixed(0)} MiB`,
    `${heapGrowthLimitMib} MiB more`,
    heapMib(after) - heapMib(before) <= heapGrowthLimitMib,
  );
  report.check(`left over: ${left.join(', ') || 'nothing'}`, 'nothing', left.length === 0);
}

function sumByName(faults: readonly (readonly [string, number])[]): string {
  const sums = new Map<string, number>();
  for (const [outcome, count] of faults) sums.set(outcome, (sums.get(outcome) ?? 0) + count);
  return [...sums].map(([outcome, count]) => `${count} ${outcome}`).join(', ') || 'none';
}

/** The steps by rate, and the way down by time. */
function pageOf({ mix }: StressOptions, { steps, breaking, down, recoverySeconds }: StressResult) {
  const x = { kind: 'number', label: 'requests a second', isLogarithmic: false } as const;
  const byRate = (name: string, unit: string, value: (step: Step) => number) => ({
    name,
    unit,
    x,
    points: steps.map((step) => [step.rate, value(step)] as const),
  });
  return {
    title: `Stress: ${mix} mix`,
    facts: [
      ['good up to', `${breaking.highestGood ?? 0} req/s`],
      ['highest goodput', `${breaking.highestGoodput.toFixed(0)} req/s`],
      ['back in the budgets', recoverySeconds === null ? 'never' : `${recoverySeconds} s after half the breaking rate`],
    ] as const,
    series: [
      byRate('right answers', 'req/s', ({ run }) => run.answeredPerSecond),
      ...(['critical', 'standard'] as const).map((kind) => ({
        ...byRate('p95', 'ms', ({ run }) => run.classes[kind].p95Ms),
        chart: `p95 of ${kind} requests, up`,
        isLogarithmic: true,
        bound: p95Budgets[kind],
      })),
      ...tickSeries(down.ticks),
    ],
  };
}
