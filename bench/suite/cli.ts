/** All scenarios, each beside its limits; what they gave is printed, and kept as JSON and as a report. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseByName } from '../scenarios/choose.ts';
import { healthUnderLoad } from '../scenarios/health.ts';
import { fourQueriesCached, fourQueriesCold, otherReads } from '../scenarios/reads.ts';
import { startUp } from '../scenarios/start-up.ts';
import { writes } from '../scenarios/writes.ts';
import { type BenchWorld, cachedEnvironment, coldEnvironment, withBenchWorld, withOwnServer } from './bench-world.ts';
import { gatherFacts } from './facts.ts';
import { describeMachine, findCommit } from './machine.ts';
import { printResult } from './print-result.ts';
import { createProgress, type Progress } from './progress.ts';
import type { BenchResult, Load, ScenarioResult } from './results.ts';
import { loadCount, type RunOptions, runScenario } from './run-scenario.ts';
import type { Facts, Probe, Scenario } from './scenario.ts';

const reads: readonly Scenario[] = [...fourQueriesCold, ...otherReads];
const probes: readonly Probe[] = [healthUnderLoad, startUp];
const all: readonly (Scenario | Probe)[] = [...fourQueriesCached, ...reads, ...probes, ...writes];

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

/** Prints the result and writes it to `out`, as `COMMIT.json` or, of a changed working tree, by its time. */
export async function benchSuite(options: SuiteOptions): Promise<void> {
  const result = await runSuite(options);
  const file = join(options.out, `${nameOf(result)}.json`);
  mkdirSync(options.out, { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
  printResult(result);
  console.log(file);
}

/**
 * @throws when a request failed, an answer was not the expected one, or `only` names nothing
 */
export async function runSuite({ only, scale, ...options }: Omit<SuiteOptions, 'out'>): Promise<BenchResult> {
  const chosen = chooseByName(all, only);
  const isChosen = (one: Scenario | Probe) => chosen.includes(one);
  const startedAt = new Date().toISOString();
  const loads = chosen.map((one) => ('operation' in one ? loadCount(one, options.connections) : 1));
  const progress = createProgress(
    process.stderr,
    loads.reduce((sum, count) => sum + count, 0),
  );
  return withBenchWorld(scale, async (world): Promise<BenchResult> => {
    const runOptions: RunOptions = {
      ...options,
      onLoad: (name, load) => progress.step(`${name}, ${describeLoad(load)}`),
    };
    const cold = await runCold(world, scale, reads.filter(isChosen), runOptions);
    const cached = await runCached(world, cold.facts, fourQueriesCached.filter(isChosen), runOptions);
    const probed = await runProbes(world, probes.filter(isChosen), options, progress);
    const written = await runCold(world, scale, writes.filter(isChosen), runOptions);
    progress.end();
    return {
      formatVersion: 1,
      startedAt,
      commit: findCommit(),
      machine: describeMachine(world.isPinned),
      scenarios: [...cold.results, ...cached, ...probed, ...written.results],
    };
  });
}

/** What rows there are is asked for even when there is nothing to run. */
async function runCold(
  world: BenchWorld,
  scale: number,
  scenarios: readonly Scenario[],
  options: RunOptions,
): Promise<{ facts: Facts; results: ScenarioResult[] }> {
  return withOwnServer(world, { environment: coldEnvironment }, async (server) => {
    const facts = await gatherFacts(server, scale);
    const results: ScenarioResult[] = [];
    for (const scenario of scenarios)
      results.push(...(await runScenario(scenario, { ...world, server, facts }, options)));
    return { facts, results };
  });
}

async function runCached(
  world: BenchWorld,
  facts: Facts,
  scenarios: readonly Scenario[],
  options: RunOptions,
): Promise<ScenarioResult[]> {
  if (scenarios.length === 0) return [];
  const environment = cachedEnvironment(world, scenarios, facts);
  return withOwnServer(world, { environment }, async (server) => {
    const results: ScenarioResult[] = [];
    for (const scenario of scenarios)
      results.push(...(await runScenario(scenario, { ...world, server, facts }, options)));
    return results;
  });
}

async function runProbes(
  world: BenchWorld,
  chosen: readonly Probe[],
  options: Pick<RunOptions, 'rounds' | 'seconds'>,
  progress: Progress,
): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = [];
  for (const probe of chosen) {
    progress.step(probe.name);
    results.push(await probe.measure({ ...world, ...options }));
  }
  return results;
}

function describeLoad({ connections, rate }: Load): string {
  return rate === null ? `${connections} connections` : `${rate} requests a second`;
}

function nameOf({ commit, startedAt }: BenchResult): string {
  return commit === null || commit.endsWith('+') ? startedAt.replaceAll(/[:.]/g, '-') : commit;
}
