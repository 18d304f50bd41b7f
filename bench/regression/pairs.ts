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

/** Of each load of a side. */
interface Loads {
  readonly cpuMicroseconds: number[];
  readonly requestsPerSecond: number[];
}

/**
 * Loads both versions in turns, each round forth and back between two loads of the limit: what grows or shrinks steadily
 * in the meantime meets both alike. The version that begins changes from round to round. What else the machine does only
 * ever slows a load down, so a side's figure is that of its best load.
 * @throws when a request failed or an answer was not the expected one
 */
export async function measurePair(
  pair: Pair,
  { connections, rounds, seconds }: PairOptions,
): Promise<readonly PairRatios[]> {
  const loads = { after: noLoads(), before: noLoads(), limit: noLoads() };
  for (let round = 0; round < rounds; round += 1) {
    const [first, second] = round % 2 === 0 ? (['after', 'before'] as const) : (['before', 'after'] as const);
    for (const side of ['limit', first, second, second, first, 'limit'] as const) {
      const figures = await runClosedLoop(pair[side], connections, { seconds });
      loads[side].cpuMicroseconds.push(figures.cpuMicroseconds ?? Number.NaN);
      loads[side].requestsPerSecond.push(figures.requestsPerSecond);
    }
  }
  const cpu = (side: keyof Pair) => Math.min(...loads[side].cpuMicroseconds);
  const rate = (side: keyof Pair) => Math.max(...loads[side].requestsPerSecond);
  const ratios = (name: string, isMoreWorse: boolean, of: (side: keyof Pair) => number): PairRatios => ({
    name: `${name} against flat statements`,
    isMoreWorse,
    before: of('before') / of('limit'),
    after: of('after') / of('limit'),
  });
  const ofRate = ratios('requests a second', false, rate);
  return Number.isNaN(cpu('after')) ? [ofRate] : [ratios('CPU', true, cpu), ofRate];
}

function noLoads(): Loads {
  return { cpuMicroseconds: [], requestsPerSecond: [] };
}
