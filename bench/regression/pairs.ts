import type { LoadFigures } from '../suite/closed-loop.ts';
import { runClosedLoop, type Target } from '../suite/closed-loop.ts';

/** The same request to this version, to the other one, and the shortest way to the same answer. */
export interface Pair {
  readonly after: Target;
  readonly before: Target;
  readonly limit: Target;
}

export interface PairOptions {
  readonly connections: number;
  readonly rounds: number;
  /** Of each load, of which a round has six. */
  readonly seconds: number;
}

/** Of one figure, of both versions, as ratios to the limit's in the same rounds. */
export interface PairRatios {
  readonly name: string;
  readonly isMoreWorse: boolean;
  readonly before: number;
  readonly after: number;
}

interface Load {
  requests: number;
  seconds: number;
  cpuMicroseconds: number;
}

/**
 * Loads both versions in turns, each round forth and back between two loads of the limit: what grows or shrinks steadily
 * in the meantime meets both alike. The version that begins changes from round to round.
 * @throws when a request failed or an answer was not the expected one
 */
export async function measurePair(
  pair: Pair,
  { connections, rounds, seconds }: PairOptions,
): Promise<readonly PairRatios[]> {
  const sums = { after: noLoad(), before: noLoad(), limit: noLoad() };
  for (let round = 0; round < rounds; round += 1) {
    const [first, second] = round % 2 === 0 ? (['after', 'before'] as const) : (['before', 'after'] as const);
    for (const side of ['limit', first, second, second, first, 'limit'] as const) {
      add(sums[side], await runClosedLoop(pair[side], connections, { seconds }));
    }
  }
  const cpu = (side: keyof Pair) => sums[side].cpuMicroseconds / sums[side].requests;
  const rate = (side: keyof Pair) => sums[side].requests / sums[side].seconds;
  const ratios = (name: string, isMoreWorse: boolean, of: (side: keyof Pair) => number): PairRatios => ({
    name: `${name} against flat statements`,
    isMoreWorse,
    before: of('before') / of('limit'),
    after: of('after') / of('limit'),
  });
  const ofRate = ratios('requests a second', false, rate);
  return Number.isNaN(sums.after.cpuMicroseconds) ? [ofRate] : [ratios('CPU', true, cpu), ofRate];
}

function noLoad(): Load {
  return { requests: 0, seconds: 0, cpuMicroseconds: 0 };
}

/** CPU that cannot be known makes the sum NaN. */
function add(sum: Load, { requests, requestsPerSecond, cpuMicroseconds }: LoadFigures): void {
  sum.requests += requests;
  sum.seconds += requests / requestsPerSecond;
  sum.cpuMicroseconds += (cpuMicroseconds ?? Number.NaN) * requests;
}
