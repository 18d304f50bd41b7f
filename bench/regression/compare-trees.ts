/** This working tree, with what is not committed, against another version of the project, in turns on the same data. */
import { type LimitServer, startLimitServer } from '../limits/limit-server.ts';
import { chooseByName } from '../scenarios/choose.ts';
import { fourQueriesCold } from '../scenarios/reads.ts';
import { type BenchWorld, coldEnvironment, withBenchWorld } from '../suite/bench-world.ts';
import { runClosedLoop } from '../suite/closed-loop.ts';
import { gatherFacts } from '../suite/facts.ts';
import { type OwnServer, startOwnServer, targetOf } from '../suite/own-server.ts';
import { ours, sidesOf } from '../suite/run-scenario.ts';
import type { Facts, Scenario } from '../suite/scenario.ts';
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
          for (const target of [pair.limit, pair.after, pair.before]) await runClosedLoop(target, 32, warmUp);
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

const warmUp = { requests: 2_000, seconds: 5 };

interface Servers {
  readonly after: OwnServer;
  readonly before: OwnServer;
  readonly limits: LimitServer;
}

async function pairOf(scenario: Scenario, facts: Facts, { after, before, limits }: Servers): Promise<Pair> {
  const sides = await sidesOf(scenario, { server: after, limits, facts });
  const sideOf = (name: string) => sides.find((side) => side.name === name)!.target;
  const other = await targetOf(before, scenario.server, scenario.operation(facts));
  return { after: sideOf(ours), before: other.target, limit: sideOf('flat statements') };
}

/** All of them anew; the other one first in every second start: the first may get the better memory. */
async function withServers(
  { database }: BenchWorld,
  { root, isOtherFirst }: { root: string; isOtherFirst: boolean },
  use: (servers: Servers) => Promise<void>,
): Promise<void> {
  const start = (of: string | undefined) => startOwnServer(database, { environment: coldEnvironment, root: of });
  const limits = await startLimitServer(database);
  try {
    const first = await start(isOtherFirst ? root : undefined);
    try {
      const second = await start(isOtherFirst ? undefined : root);
      try {
        const [after, before] = isOtherFirst ? [second, first] : [first, second];
        await use({ after, before, limits });
      } finally {
        await second.stop();
      }
    } finally {
      await first.stop();
    }
  } finally {
    await limits.stop();
  }
}
