import { type BenchWorld, cachedEnvironment, coldEnvironment, withBenchWorld, withOwnServer } from './bench-world.ts';
import { gatherFacts } from './facts.ts';
import type { ScenarioResult } from './results.ts';
import { type RunContext, type RunOptions, runScenario } from './run-scenario.ts';
import type { Facts, Probe, Scenario } from './scenario.ts';

/** What to run. */
export interface Chosen {
  readonly cold: readonly Scenario[];
  readonly cached: readonly Scenario[];
  readonly probes: readonly Probe[];
  /** Of the cold kind; last, since they add what reads would read. */
  readonly writes: readonly Scenario[];
}

export interface RunAllOptions {
  /** Of features; the other tables are in proportion. */
  readonly scale: number;
  readonly run: RunOptions;
  /** A probe begins. */
  onProbe(name: string): void;
}

/**
 * Runs all of it on one database, each kind on a server of its own.
 * @throws when a server does not start, or a probe fails
 */
export async function runAll(
  { cold, cached, probes, writes }: Chosen,
  { scale, run, onProbe }: RunAllOptions,
): Promise<{ isPinned: boolean; scenarios: ScenarioResult[] }> {
  return withBenchWorld(scale, async (world) => {
    const facts = await withOwnServer(world, { environment: coldEnvironment }, (server) => gatherFacts(server, scale));
    const scenarios: ScenarioResult[] = [];
    scenarios.push(...(await runKind(world, facts, cold, { environment: coldEnvironment, run })));
    const environment = cachedEnvironment(world, cached, facts);
    scenarios.push(...(await runKind(world, facts, cached, { environment, run })));
    for (const probe of probes) {
      onProbe(probe.name);
      scenarios.push(await probe.measure({ ...world, rounds: run.rounds, seconds: run.seconds }));
    }
    scenarios.push(...(await runKind(world, facts, writes, { environment: coldEnvironment, run })));
    return { isPinned: world.isPinned, scenarios };
  });
}

async function runKind(
  world: BenchWorld,
  facts: Facts,
  scenarios: readonly Scenario[],
  { environment, run }: { environment: Readonly<Record<string, string>>; run: RunOptions },
): Promise<ScenarioResult[]> {
  if (scenarios.length === 0) return [];
  return withOwnServer(world, { environment }, async (server) => {
    const context: RunContext = { ...world, server, facts };
    const results: ScenarioResult[] = [];
    for (const scenario of scenarios) results.push(...(await runScenario(scenario, context, run)));
    return results;
  });
}
