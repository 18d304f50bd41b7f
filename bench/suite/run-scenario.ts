import { findBudget } from '../budgets.ts';
import { runClosedLoop } from './closed-loop.ts';
import { constantRateConnections, runConstantRate } from './constant-rate.ts';
import { type OwnServer, targetOf } from './own-server.ts';
import { sampleProcess } from './process-samples.ts';
import type { Load, ProcessSample, Ratio, ScenarioResult } from './results.ts';
import type { Facts, LimitContext, Scenario } from './scenario.ts';
import { cpuRatio, figuresOf, measureInTurns, p95Ratio, rateRatio, type Side, type Turns, warmUp } from './turns.ts';

export const ours = 'ours';
/** The connections that budgets of CPU are for. */
export const budgetConnections = 32;
/** Of what our server answers as fast as it can: what it gets at the constant rate. */
const constantRateShare = 0.5;

export interface RunOptions {
  readonly connections: readonly number[];
  readonly rounds: number;
  /** Of a round, of each side. */
  readonly seconds: number;
  /** A load begins. */
  onLoad(scenario: string, load: Load): void;
  /** Figures of the load are left out; null: of all loads of the scenario. */
  onFailure(scenario: string, load: Load | null, error: Error): void;
}

export interface RunContext {
  readonly server: OwnServer;
  readonly limits: LimitContext['limits'];
  readonly facts: Facts;
}

/**
 * Ours first.
 * @throws when a limit's answer is not ours
 */
export async function sidesOf(scenario: Scenario, { server, limits, facts }: RunContext): Promise<Side[]> {
  const operation = scenario.operation(facts);
  const { target, answer } = await targetOf(server, scenario.server, operation);
  const sides: Side[] = [{ name: ours, target }];
  for (const make of scenario.limits) sides.push(await make({ server, limits, facts, operation, answer }));
  return sides;
}

/** How many loads a scenario is put under: each number of connections, and the constant rate. */
export function loadCount(scenario: Scenario, connections: readonly number[]): number {
  return connectionsOf(scenario, connections).length + 1;
}

/**
 * A scenario under all loads: as fast as so many connections can, and at a constant rate of half of the fastest of them.
 * With more connections than the budgets are for, requests may be shed. A load in which one failed or an answer was not the
 * expected one is left out; all are when that happens before the first load, or a limit's answer is not ours.
 */
export async function runScenario(
  scenario: Scenario,
  context: RunContext,
  options: RunOptions,
): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = [];
  const sides = await prepare(scenario, context, options);
  if (sides === null) return results;
  const run = async (connections: number, rate: number | null) => {
    const load = { connections, rate, seconds: options.seconds };
    options.onLoad(scenario.name, load);
    try {
      results.push(await runLoad(scenario, sides, { origin: context.server.origin, rounds: options.rounds, load }));
    } catch (error) {
      options.onFailure(scenario.name, load, error as Error);
    }
  };
  for (const connections of connectionsOf(scenario, options.connections)) await run(connections, null);
  if (results.length === 0) return results;
  const fastest = Math.max(...results.map(({ ours: { requestsPerSecond } }) => requestsPerSecond));
  // A round has one request at least.
  const rate = Math.max(Number((fastest * constantRateShare).toPrecision(2)), Math.ceil(1 / options.seconds));
  await run(constantRateConnections, rate);
  return results;
}

/** null: it failed. */
async function prepare(scenario: Scenario, context: RunContext, { onFailure }: RunOptions): Promise<Side[] | null> {
  try {
    const sides = await sidesOf(scenario, context);
    await warmUp(sides);
    return sides;
  } catch (error) {
    onFailure(scenario.name, null, error as Error);
    return null;
  }
}

function connectionsOf({ maxConnections = Number.POSITIVE_INFINITY }: Scenario, connections: readonly number[]) {
  return connections.filter((count) => count <= maxConnections);
}

interface LoadRun {
  readonly origin: string;
  readonly rounds: number;
  readonly load: Load;
}

async function runLoad(scenario: Scenario, sides: readonly Side[], run: LoadRun): Promise<ScenarioResult> {
  const { load, rounds, origin } = run;
  const turns = await measureInTurns(sides, rounds, ({ target }) => runOnce(target, load));
  const limits = sides.slice(1).map(({ name }) => ({ name, figures: figuresOf(turns.get(name)!) }));
  return {
    name: scenario.name,
    load,
    ours: figuresOf(turns.get(ours)!),
    limits,
    ratios: limits.flatMap(({ name }) => ratiosOf(turns, name, scenario, load)),
    series: await watch(origin, sides[0]!, load),
  };
}

function runOnce(target: Side['target'], { connections, rate, seconds }: Load) {
  if (rate !== null) return runConstantRate(target, rate, seconds);
  return runClosedLoop(target, connections, { seconds, mayShed: connections > budgetConnections });
}

function ratiosOf(turns: Turns, limit: string, { cpuBudget }: Scenario, load: Load): Ratio[] {
  const isBudgeted =
    cpuBudget !== undefined &&
    limit === 'flat statements' &&
    load.rate === null &&
    load.connections === budgetConnections;
  const ofCpu = cpuRatio(turns, ours, limit, isBudgeted ? boundOf(cpuBudget) : null);
  const ofSpeed = load.rate === null ? rateRatio(turns, ours, limit) : p95Ratio(turns, ours, limit);
  return ofCpu === null ? [ofSpeed] : [ofCpu, ofSpeed];
}

/** What a ratio keeps of a budget. */
export function boundOf(id: string): NonNullable<Ratio['budget']> {
  const { bound, isUpper } = findBudget(id);
  return { bound, isUpper };
}

/** One more round of ours, in which the process is looked at. */
async function watch(origin: string, { target }: Side, load: Load): Promise<ProcessSample[]> {
  const samples = sampleProcess(origin);
  const [loaded] = await Promise.allSettled([runOnce(target, { ...load, seconds: 2 * load.seconds })]);
  const series = await samples.stop();
  if (loaded.status === 'rejected') throw loaded.reason;
  return series;
}
