import { median } from '../statistics.ts';
import { type LoadFigures, runClosedLoop, type Target } from './closed-loop.ts';
import { LatencyRecord } from './latency.ts';
import type { Figures, Ratio } from './results.ts';

const warmUpConnections = 32;
/** V8 goes on compiling for some 20,000 requests of a server like ours; the limits have less to compile. */
const warmUpAmount = { requests: 20_000, seconds: 8 };

/** One of those that are compared. */
export interface Side {
  readonly name: string;
  readonly target: Target;
  /** Of the requests of the others, for one that answers many more in the same time; 1 by default. */
  readonly share?: number;
}

/** The rounds of each side, in its order. */
export type Turns = ReadonlyMap<string, readonly LoadFigures[]>;

/**
 * Loads the sides until the compiler has made of them what it will make, or for so long.
 * @throws when a request failed or an answer was not the expected one
 */
export async function warmUp(sides: readonly Side[]): Promise<void> {
  for (const { target } of sides) await runClosedLoop(target, warmUpConnections, warmUpAmount);
}

/**
 * Loads the sides one after the other, and all of them again in each round, so that what else the machine does meets all.
 * @throws as `load` does
 */
export async function measureInTurns(
  sides: readonly Side[],
  rounds: number,
  load: (side: Side) => Promise<LoadFigures>,
): Promise<Turns> {
  const turns = new Map<string, LoadFigures[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const side of sides) turns.get(side.name)!.push(await load(side));
  }
  return turns;
}

/** Medians of the rounds; latencies and what was shed of all of them together. */
export function figuresOf(rounds: readonly LoadFigures[]): Figures {
  const latency = new LatencyRecord();
  for (const round of rounds) latency.add(round.latency);
  const cpu = rounds.map(({ cpuMicroseconds }) => cpuMicroseconds);
  return {
    requestsPerSecond: median(rounds.map(({ requestsPerSecond }) => requestsPerSecond)),
    cpuMicroseconds: cpu.every((each) => each !== null) ? median(cpu) : null,
    latency: latency.summary(),
    shed: rounds.reduce((sum, { shed }) => sum + shed, 0),
  };
}

/** CPU per request of one side against another's; null where it cannot be known. */
export function cpuRatio(turns: Turns, own: string, other: string, budget: Ratio['budget'] = null): Ratio | null {
  const [ours, theirs] = [turns.get(own)!, turns.get(other)!];
  const rounds = ours.flatMap(({ cpuMicroseconds }, round) => {
    const otherCpu = theirs[round]!.cpuMicroseconds;
    return cpuMicroseconds === null || otherCpu === null ? [] : [cpuMicroseconds / otherCpu];
  });
  if (rounds.length === 0) return null;
  return { name: `CPU against ${other}`, value: median(rounds), rounds, budget };
}

/** Requests a second of one side against another's. */
export function rateRatio(turns: Turns, own: string, other: string, budget: Ratio['budget'] = null): Ratio {
  const [ours, theirs] = [turns.get(own)!, turns.get(other)!];
  const rounds = ours.map(({ requestsPerSecond }, round) => requestsPerSecond / theirs[round]!.requestsPerSecond);
  return { name: `requests a second against ${other}`, value: median(rounds), rounds, budget };
}

/** The 95th percentile of one side's latency against another's. */
export function p95Ratio(turns: Turns, own: string, other: string): Ratio {
  const [ours, theirs] = [turns.get(own)!, turns.get(other)!];
  const p95Of = ({ latency }: LoadFigures) => latency.summary().p95Ms;
  const rounds = ours.map((round, index) => p95Of(round) / p95Of(theirs[index]!));
  return { name: `p95 against ${other}`, value: median(rounds), rounds, budget: null };
}
