/** This working tree, with what is not committed, against another version of the project, in turns on the same data. */
import { chooseByName } from '../scenarios/choose.ts';
import { fourQueriesCold } from '../scenarios/reads.ts';
import { type BenchWorld, coldEnvironment, withBenchWorld } from '../suite/bench-world.ts';
import { runClosedLoop } from '../suite/closed-loop.ts';
import { gatherFacts } from '../suite/facts.ts';
import { type OwnServer, startOwnServer, targetOf } from '../suite/own-server.ts';
import { ours, sidesOf } from '../suite/run-scenario.ts';
import type { Scenario } from '../suite/scenario.ts';
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
      await withBothServers(world, { root, isOtherFirst: start % 2 === 1 }, async (after, before) => {
        const facts = await gatherFacts(after, options.scale);
        for (const scenario of scenarios) {
          process.stderr.write(`start ${start + 1} of ${options.starts}: ${scenario.name} …\n`);
          const pair = await pairOf(scenario, { world, facts, after, before });
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

interface Both {
  readonly world: BenchWorld;
  readonly facts: Parameters<Scenario['operation']>[0];
  readonly after: OwnServer;
  readonly before: OwnServer;
}

async function pairOf(scenario: Scenario, { world: { limits }, facts, after, before }: Both): Promise<Pair> {
  const sides = await sidesOf(scenario, { server: after, limits, facts });
  const sideOf = (name: string) => sides.find((side) => side.name === name)!.target;
  const other = await targetOf(before, scenario.server, scenario.operation(facts));
  return { after: sideOf(ours), before: other.target, limit: sideOf('flat statements') };
}

/** The other one first in every second start: the first may get the better memory. */
async function withBothServers(
  { database }: BenchWorld,
  { root, isOtherFirst }: { root: string; isOtherFirst: boolean },
  use: (after: OwnServer, before: OwnServer) => Promise<void>,
): Promise<void> {
  const start = (of: string | undefined) => startOwnServer(database, { environment: coldEnvironment, root: of });
  const first = await start(isOtherFirst ? root : undefined);
  try {
    const second = await start(isOtherFirst ? undefined : root);
    try {
      await (isOtherFirst ? use(second, first) : use(first, second));
    } finally {
      await second.stop();
    }
  } finally {
    await first.stop();
  }
}
