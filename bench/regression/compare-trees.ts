/** This working tree, with what is not committed, against another version of the project, in turns on the same data. */

import postgres, { type Sql } from 'postgres';
import { chooseByName } from '../scenarios/choose.ts';
import { fourQueriesCold } from '../scenarios/reads.ts';
import { type BenchWorld, coldEnvironment, withBenchWorld } from '../suite/bench-world.ts';
import { runClosedLoop } from '../suite/closed-loop.ts';
import { gatherFacts } from '../suite/facts.ts';
import { type OwnServer, startOwnServer, targetOf } from '../suite/own-server.ts';
import { ours, sidesOf } from '../suite/run-scenario.ts';
import type { Facts, Scenario } from '../suite/scenario.ts';
import { untilIdle } from '../suite/until-idle.ts';
import type { ComparedFigure } from './compared-figure.ts';
import { measurePair, type Pair, type PairOptions } from './pairs.ts';

export interface CompareTreesOptions extends PairOptions {
  /** Of both servers, as one process may be slower than another one of the same code for all of its life. */
  readonly starts: number;
  /** Names of queries or their beginnings; all four by default. */
  readonly only?: readonly string[];
  /** Of features; the other tables are in proportion. */
  readonly scale: number;
}

/**
 * @param root the folder of the other version
 * @returns each figure with a ratio of each start
 * @throws when a request failed or an answer was not the expected one
 */
export async function compareTrees(root: string, options: CompareTreesOptions): Promise<ComparedFigure[]> {
  const figures = new Map<string, ComparedFigure>();
  const scenarios = chooseByName(fourQueriesCold, options.only);
  await withBenchWorld(options.scale, async (world) => {
    for (let start = 0; start < options.starts; start += 1) {
      await withServers(world, { root, isOtherFirst: start % 2 === 1 }, async (servers) => {
        const facts = await gatherFacts(servers.after, options.scale);
        for (const scenario of scenarios) {
          process.stderr.write(`start ${start + 1} of ${options.starts}: ${scenario.name} …\n`);
          const pair = await pairOf(scenario, facts, servers);
          await warmUp(pair, options.connections);
          for (const { name, isMoreWorse, ...ratios } of await measurePair(pair, options)) {
            const key = `${scenario.name}: ${name}`;
            const figure = figures.get(key) ?? { name: key, isMoreWorse, before: [], after: [] };
            figure.before.push(ratios.before);
            figure.after.push(ratios.after);
            figures.set(key, figure);
          }
        }
      });
    }
  });
  return [...figures.values()];
}

/** V8 goes on compiling after that, of both alike. */
const warmUpSeconds = { after: 2, before: 2, limit: 1 };

interface Servers {
  readonly after: OwnServer;
  readonly before: OwnServer;
  readonly limits: BenchWorld['limits'];
  readonly client: Sql;
}

async function pairOf(scenario: Scenario, facts: Facts, { after, before, limits, client }: Servers): Promise<Pair> {
  const sides = await sidesOf(scenario, { server: after, limits, facts });
  const sideOf = (name: string) => sides.find((side) => side.name === name)!.target;
  const other = await targetOf(before, scenario.server, scenario.operation(facts));
  return { after: sideOf(ours), before: other.target, limit: sideOf('flat statements'), client };
}

async function warmUp(pair: Pair, connections: number): Promise<void> {
  for (const side of ['limit', 'after', 'before'] as const) {
    await runClosedLoop(pair[side], connections, { seconds: warmUpSeconds[side] });
  }
}

/** Both versions anew; the other one first in every second start: the first may get the better memory. */
async function withServers(
  { database, limits }: BenchWorld,
  { root, isOtherFirst }: { root: string; isOtherFirst: boolean },
  use: (servers: Servers) => Promise<void>,
): Promise<void> {
  // In the order in which they are there; undone the other way round.
  const ends: (() => Promise<unknown>)[] = [];
  const start = async (of: string | undefined) => {
    const server = await startOwnServer(database, { environment: coldEnvironment, root: of });
    ends.push(server.stop);
    await untilIdle(server.pid);
    return server;
  };
  try {
    const client = postgres(database.url, { max: 1, fetch_types: false });
    ends.push(() => client.end());
    const first = await start(isOtherFirst ? root : undefined);
    const second = await start(isOtherFirst ? undefined : root);
    const [after, before] = isOtherFirst ? [second, first] : [first, second];
    await use({ after, before, limits, client });
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}
