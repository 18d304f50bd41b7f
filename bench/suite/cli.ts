/** All scenarios, each beside its limits; what they gave is printed, and kept as JSON and as a report. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BudgetCheck, checkBudgets, reportBudgets } from '../budgets.ts';
import { writeReport } from '../report/bench-report.ts';
import { chooseByName } from '../scenarios/choose.ts';
import { healthUnderLoad } from '../scenarios/health.ts';
import { forecast, fourQueriesCached, fourQueriesCold, otherReads, pageWithSentiment } from '../scenarios/reads.ts';
import { startUp } from '../scenarios/start-up.ts';
import { bulkMutation, mutation } from '../scenarios/writes.ts';
import { describeMachine, findCommit } from './machine.ts';
import { printResult } from './print-result.ts';
import { createProgress } from './progress.ts';
import type { BenchResult, Load } from './results.ts';
import { loadCount, type RunOptions } from './run-scenario.ts';
import { runAll } from './run-suite.ts';
import type { Probe, Scenario } from './scenario.ts';

/** In the order of their names in the report; writes come last, since they add what reads would read. */
const suite = {
  cold: [...fourQueriesCold, ...otherReads],
  cached: fourQueriesCached,
  probes: [healthUnderLoad, startUp],
  writes: [mutation, bulkMutation],
};

export interface SuiteOptions {
  /** Names of scenarios or their beginnings; all by default. */
  readonly only?: readonly string[];
  readonly connections: readonly number[];
  /** Of a round, of each side. */
  readonly seconds: number;
  readonly rounds: number;
  /** Of features; the other tables are in proportion. */
  readonly scale: number;
  /** The folder of the results. */
  readonly out: string;
}

/**
 * Prints the result and writes it to `out`, as `COMMIT.json` and `COMMIT.html` or, of a changed working tree, by its
 * time. A failed request, an answer that is not the expected one and a budget that is missed fail the process at its end.
 */
export async function benchSuite(options: SuiteOptions): Promise<void> {
  const { result, failures } = await runSuite(options);
  const checks = checksOf(result);
  const file = join(options.out, nameOf(result));
  mkdirSync(options.out, { recursive: true });
  writeFileSync(`${file}.json`, `${JSON.stringify(result, null, 1)}\n`);
  await writeReport(result, `${file}.html`, checks);
  printResult(result);
  if (checks.length > 0) reportBudgets(checks);
  reportFailures(failures);
  console.log(`${file}.json\n${file}.html`);
}

/** Of loads whose figures are left out, each in a line that names the load; one fails the process at its end. */
export function reportFailures(failures: readonly string[]): void {
  for (const failure of failures) console.error(`FAILED ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

/**
 * Runs what is chosen, and says which loads failed.
 * @throws StartupError when `only` names nothing
 */
export async function runSuite({
  only,
  scale,
  ...options
}: Omit<SuiteOptions, 'out'>): Promise<{ result: BenchResult; failures: readonly string[] }> {
  const all: readonly (Scenario | Probe)[] = Object.values(suite).flat();
  const chosen = chooseByName(all, only);
  const steps = chosen.map((one) => ('operation' in one ? loadCount(one, options.connections) : 1));
  const progress = createProgress(
    process.stderr,
    steps.reduce((sum, count) => sum + count, 0),
  );
  const failures: string[] = [];
  const runOptions: RunOptions = {
    ...options,
    onLoad: (name, load) => progress.step(`${name}, ${describeLoad(load)}`),
    onFailure: (name, load, { message }) =>
      failures.push(`${name}, ${load === null ? 'warm-up' : describeLoad(load)}: ${message}`),
  };
  const startedAt = new Date().toISOString();
  const isChosen = (one: Scenario | Probe) => chosen.includes(one);
  const { isPinned, scenarios } = await runAll(
    {
      cold: suite.cold.filter(isChosen),
      cached: suite.cached.filter(isChosen),
      probes: suite.probes.filter(isChosen),
      writes: suite.writes.filter(isChosen),
    },
    { scale, run: runOptions, onProbe: progress.step },
  );
  progress.end();
  const machine = describeMachine(isPinned);
  const result: BenchResult = { formatVersion: 1, startedAt, commit: findCommit(), machine, scenarios };
  return { result, failures };
}

/** Of the figures that have a budget of their own. */
function checksOf({ scenarios }: BenchResult): BudgetCheck[] {
  const p95Of = (id: string, { name }: { name: string }, isMeant: (load: Load) => boolean) =>
    scenarios
      .filter((scenario) => scenario.name === name && isMeant(scenario.load))
      .map(({ ours }) => ({ id, value: ours.latency.p95Ms }));
  const atRate = ({ rate }: Load) => rate !== null;
  const alone = ({ rate, connections }: Load) => rate === null && connections === 1;
  return checkBudgets([
    ...p95Of('health-checks-p95', healthUnderLoad, atRate),
    ...p95Of('bulk-operations-p95', bulkMutation, atRate),
    ...p95Of('inference-single-p95', forecast, alone),
    ...p95Of('inference-batch-p95', pageWithSentiment, alone),
  ]);
}

function describeLoad({ connections, rate }: Load): string {
  return rate === null ? `${connections} connections` : `${rate} requests a second`;
}

function nameOf({ commit, startedAt }: BenchResult): string {
  return commit === null || commit.endsWith('+') ? startedAt.replaceAll(/[:.]/g, '-') : commit;
}
