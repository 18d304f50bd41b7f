/** The four queries by which servers of this kind are compared, against the shortest ways to the same answers. */
import { coldEnvironment, withBenchWorld, withOwnServer } from '../suite/bench-world.ts';
import { runClosedLoop } from '../suite/closed-loop.ts';
import { gatherFacts } from '../suite/facts.ts';
import type { Figures, Ratio } from '../suite/results.ts';
import { boundOf, budgetConnections, ours, type RunContext, sidesOf } from '../suite/run-scenario.ts';
import type { Scenario } from '../suite/scenario.ts';
import { cpuRatio, figuresOf, measureInTurns, type Side, warmUp } from '../suite/turns.ts';
import { chooseByName } from './choose.ts';
import { fourQueriesCold } from './reads.ts';

export interface FourQueriesOptions {
  readonly rounds: number;
  /** Of a round, to each side; the constant gets five times as many. */
  readonly requests: number;
  readonly connections: readonly number[];
  /** Names of queries or their beginnings; all by default. */
  readonly only?: readonly string[];
  /** Of features; the other tables are in proportion. */
  readonly scale: number;
  /** The folder where our server leaves a CPU profile. */
  readonly profile?: string;
}

interface Measured {
  readonly name: string;
  readonly connections: number;
  readonly figures: ReadonlyMap<string, Figures>;
  readonly ratio: Ratio | null;
}

/** Prints CPU per request and requests a second of each side; a ratio over its budget fails the process at its end. */
export async function benchFourQueries(options: FourQueriesOptions): Promise<void> {
  const scenarios = chooseByName(fourQueriesCold, options.only);
  const { scale, profile } = options;
  const measured = await withBenchWorld(scale, (world) =>
    withOwnServer(world, { environment: coldEnvironment, profile }, async (server) => {
      const facts = await gatherFacts(server, scale);
      const all: Measured[] = [];
      for (const scenario of scenarios) all.push(...(await measure(scenario, { ...world, server, facts }, options)));
      return all;
    }),
  );
  for (const connections of options.connections) report(measured, connections);
}

async function measure(scenario: Scenario, context: RunContext, options: FourQueriesOptions): Promise<Measured[]> {
  const sides = await sidesOf(scenario, context);
  process.stderr.write(`${scenario.name}: warm-up\n`);
  await warmUp(sides);
  const measured: Measured[] = [];
  for (const connections of options.connections) {
    process.stderr.write(`${scenario.name}: ${connections} connections, ${options.rounds} rounds\n`);
    const load = ({ target, share = 1 }: Side) =>
      runClosedLoop(target, connections, { requests: Math.max(connections, options.requests * share) });
    const turns = await measureInTurns(sides, options.rounds, load);
    const figures = new Map([...turns].map(([name, each]) => [name, figuresOf(each)]));
    const isBudgeted = scenario.cpuBudget !== undefined && connections === budgetConnections;
    const budget = isBudgeted ? boundOf(scenario.cpuBudget) : null;
    measured.push({
      name: scenario.name,
      connections,
      figures,
      ratio: cpuRatio(turns, ours, 'flat statements', budget),
    });
  }
  return measured;
}

function report(measured: readonly Measured[], connections: number): void {
  const columns = measured.filter((each) => each.connections === connections);
  const sides = [...(columns[0]?.figures.keys() ?? [])];
  console.log(`\n${connections} connections: µs of the server's CPU a request (requests a second)`);
  const row = (side: string) =>
    Object.fromEntries(columns.map(({ name, figures }) => [name, describe(figures.get(side)!)]));
  console.table(Object.fromEntries(sides.map((side) => [side, row(side)])));
  for (const { name, ratio } of columns) if (ratio) reportRatio(name, ratio);
}

function describe({ cpuMicroseconds, requestsPerSecond }: Figures): string {
  const cpu = cpuMicroseconds === null ? '?' : cpuMicroseconds.toFixed(cpuMicroseconds < 100 ? 1 : 0);
  return `${cpu} (${Math.round(requestsPerSecond).toLocaleString('en')})`;
}

function reportRatio(name: string, { value, rounds, budget }: Ratio): void {
  const range = `${Math.min(...rounds).toFixed(2)} to ${Math.max(...rounds).toFixed(2)}`;
  const isOver = budget !== null && value > budget.bound;
  const verdict = budget === null ? '' : ` (at most ${budget.bound}) ${isOver ? 'OVER' : 'OK'}`;
  console.log(`  ${name}: ${value.toFixed(2)} times the CPU of flat statements, rounds ${range}${verdict}`);
  if (isOver) process.exitCode = 1;
}
