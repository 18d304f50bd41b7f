import type { Sql } from 'postgres';
import { watchPostgresCpu } from '../postgres-cpu.ts';
import { mainThreadCpuSeconds } from '../process-cpu.ts';
import { median } from '../statistics.ts';
import { runClosedLoop, type Target } from '../suite/closed-loop.ts';

/** The same request to this version, to the other one, and the shortest way to the same answer. */
export interface Pair {
  readonly after: Target;
  readonly before: Target;
  readonly limit: Target;
  /** Of the database of all three. */
  readonly client: Sql;
}

export interface PairOptions {
  readonly connections: number;
  readonly rounds: number;
  /** Of a round, which has five loads. */
  readonly seconds: number;
}

/** Of one figure, of both versions, as ratios to the limit's. */
export interface PairRatios {
  readonly name: string;
  readonly isMoreWorse: boolean;
  readonly before: number;
  readonly after: number;
}

type Side = 'after' | 'before' | 'limit';

/** Of a load, each a logarithm. */
interface Load {
  readonly cpu: number;
  readonly postgresCpu: number;
  readonly rate: number;
}

type Round = Readonly<Record<Side, Load>>;

const loadsOfRound = 5;
const figures: readonly (readonly [figure: keyof Load, name: string, isMoreWorse: boolean])[] = [
  ['cpu', "CPU of the server's thread", true],
  ['postgresCpu', 'CPU of Postgres', true],
  ['rate', 'requests a second', false],
];

/**
 * Loads both versions in short turns, forth and back in each round: what grows or shrinks steadily in the meantime meets
 * both alike, and so does most of what else the machine does. The version that begins changes from round to round. What
 * is told is the median of the rounds' ratios of one version to the other; the limit says only where that is.
 *
 * The CPU is that of the thread that runs JavaScript: V8's other threads work in bursts of full collections, every two
 * seconds or so, by which the sum differs by 20 to 26 % from load to load, and this thread's share by 8 to 18. What they
 * have to do is counted as bytes by `npm run bench -- counts`.
 * @throws when a request failed or an answer was not the expected one
 */
export async function measurePair(
  pair: Pair,
  { connections, rounds, seconds }: PairOptions,
): Promise<readonly PairRatios[]> {
  const load = (side: Side) => runLoad(pair, side, { connections, seconds: seconds / loadsOfRound });
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [first, second] = round % 2 === 0 ? (['after', 'before'] as const) : (['before', 'after'] as const);
    const limit = await load('limit');
    const [begun, there, back, ended] = [await load(first), await load(second), await load(second), await load(first)];
    const ofFirst = meanOf(begun, ended);
    const ofSecond = meanOf(there, back);
    measured.push(
      first === 'after' ? { limit, after: ofFirst, before: ofSecond } : { limit, after: ofSecond, before: ofFirst },
    );
  }
  const middle = (of: (round: Round) => number) => Math.exp(median(measured.map(of)));
  return figures
    .map(([figure, name, isMoreWorse]) => {
      const before = middle((round) => round.before[figure] - round.limit[figure]);
      const change = middle((round) => round.after[figure] - round.before[figure]);
      return { name: `${name} against flat statements`, isMoreWorse, before, after: before * change };
    })
    .filter(({ after }) => Number.isFinite(after));
}

async function runLoad(
  { client, ...targets }: Pair,
  side: Side,
  { connections, seconds }: { connections: number; seconds: number },
): Promise<Load> {
  const target = targets[side];
  const postgresSeconds = await watchPostgresCpu(client);
  const before = mainThreadCpuSeconds(target.pid);
  const { requests, requestsPerSecond } = await runClosedLoop(target, connections, { seconds });
  return {
    cpu: Math.log((mainThreadCpuSeconds(target.pid) - before) / requests),
    postgresCpu: Math.log(postgresSeconds() / requests),
    rate: Math.log(requestsPerSecond),
  };
}

function meanOf(one: Load, other: Load): Load {
  const mean = (figure: keyof Load) => (one[figure] + other[figure]) / 2;
  return { cpu: mean('cpu'), postgresCpu: mean('postgresCpu'), rate: mean('rate') };
}
