/** The four queries by which servers of this kind are compared, against the shortest ways to the same answers. */
import { type BenchQuery, createFourQueries, type QueryKey } from '../four-queries.ts';
import { type LimitServer, limitKinds, startLimitServer } from '../limits/limit-server.ts';
import { loadCore, pin } from '../process-cpu.ts';
import { startBenchDatabase } from '../suite/bench-database.ts';
import type { Target } from '../suite/closed-loop.ts';
import { type OwnServer, startOwnServer } from '../suite/own-server.ts';
import type { Figures, Ratio } from '../suite/results.ts';
import { cpuRatio, figuresOf, measureInTurns, rateRatio, type Side, warmUp } from '../suite/turns.ts';

/** Of the CPU of flat statements, with 32 connections: what ours may take at most. */
export const cpuBudgets: Readonly<Record<QueryKey, number>> = {
  features: 1.65,
  conversations: 1.6,
  feature: 1.5,
  'deep-page': 1.8,
};
/** The connections that the budgets are for. */
export const budgetConnections = 32;
const connectionCounts = [1, budgetConnections];
/** The constant answers so many times what the others do. */
const constantShare = 5;
const ours = 'ours';

export interface FourQueriesOptions {
  readonly rounds: number;
  /** Of a round, to each side; the constant gets five times as many. */
  readonly requests: number;
  /** Of features; the other tables are in proportion. */
  readonly scale: number;
  /** The folder where our server leaves a CPU profile. */
  readonly profile?: string;
}

interface Measured {
  readonly query: BenchQuery;
  readonly connections: number;
  readonly figures: ReadonlyMap<string, Figures>;
  readonly ratios: readonly Ratio[];
}

/** Prints CPU per request and requests a second of each side; a ratio over its budget fails the process at its end. */
export async function benchFourQueries({ rounds, requests, scale, profile }: FourQueriesOptions): Promise<void> {
  pin(process.pid, loadCore);
  const database = await startBenchDatabase(scale);
  try {
    const server = await startOwnServer(database, { profile });
    const limits = await startLimitServer(database);
    try {
      const measured: Measured[] = [];
      for (const query of await createFourQueries(server.ask, deepPageOf(scale))) {
        const sides = await sidesOf(query, server, limits);
        process.stderr.write(`${query.name}: warm-up …\n`);
        await warmUp(sides);
        for (const connections of connectionCounts) {
          measured.push(await measure(query, sides, { connections, rounds, requests }));
        }
      }
      report(measured);
    } finally {
      await server.stop();
      await limits.stop();
    }
  } finally {
    await database.remove();
  }
}

/** Pages of 100 before the deep one: 50, and fewer where there are not so many. */
export function deepPageOf(scale: number): number {
  return Math.max(1, Math.min(50, Math.floor(scale / 100) - 1));
}

/**
 * Ours first.
 * @throws when the answers are not the same
 */
export async function sidesOf(query: BenchQuery, server: OwnServer, limits: LimitServer): Promise<Side[]> {
  const target = await ownTarget(query, server);
  const sides: Side[] = [{ name: ours, target: target.target }];
  for (const kind of limitKinds) {
    const share = kind === 'constant' ? constantShare : 1;
    sides.push({ name: kind, target: await limits.targetOf(kind, query, target.answer), share });
  }
  return sides;
}

async function ownTarget(
  { query, variables }: BenchQuery,
  { pid, origin, headers }: OwnServer,
): Promise<{ target: Target; answer: string }> {
  const url = `${origin}/graphql`;
  const body = JSON.stringify({ query, variables });
  const answer = await (await fetch(url, { method: 'POST', headers, body })).text();
  return { target: { pid, url, method: 'POST', headers, body, isExpected: (got) => got === answer }, answer };
}

async function measure(
  query: BenchQuery,
  sides: readonly Side[],
  { connections, rounds, requests }: { connections: number; rounds: number; requests: number },
): Promise<Measured> {
  process.stderr.write(`${query.name}, ${connections} connections …\n`);
  const turns = await measureInTurns(sides, { connections, rounds, amount: { requests } });
  const figures = new Map([...turns].map(([name, each]) => [name, figuresOf(each)]));
  const budget = connections === budgetConnections ? { bound: cpuBudgets[query.key], isUpper: true } : null;
  const ratios = limitKinds.flatMap((kind) => {
    const ofCpu = cpuRatio(turns, ours, kind, kind === 'flat-statements' ? budget : null);
    return ofCpu === null ? [rateRatio(turns, ours, kind)] : [ofCpu, rateRatio(turns, ours, kind)];
  });
  return { query, connections, figures, ratios };
}

function report(measured: readonly Measured[]): void {
  for (const connections of connectionCounts) {
    console.log(`\n${connections} connections: µs of the server's CPU a request (requests a second)`);
    const columns = measured.filter((each) => each.connections === connections);
    console.table(
      Object.fromEntries(
        [ours, ...limitKinds].map((side) => [
          side,
          Object.fromEntries(columns.map(({ query, figures }) => [query.key, describe(figures.get(side)!)])),
        ]),
      ),
    );
    for (const { query, ratios } of columns)
      reportRatio(
        query,
        ratios.find(({ name }) => name === 'CPU against flat-statements'),
      );
  }
}

function describe({ cpuMicroseconds, requestsPerSecond }: Figures): string {
  const cpu = cpuMicroseconds === null ? '?' : cpuMicroseconds.toFixed(cpuMicroseconds < 100 ? 1 : 0);
  return `${cpu} (${Math.round(requestsPerSecond).toLocaleString('en')})`;
}

function reportRatio({ name }: BenchQuery, ratio: Ratio | undefined): void {
  if (!ratio) return;
  const range = `${Math.min(...ratio.rounds).toFixed(2)} to ${Math.max(...ratio.rounds).toFixed(2)}`;
  const isOver = ratio.budget !== null && ratio.value > ratio.budget.bound;
  const verdict = ratio.budget === null ? '' : ` (at most ${ratio.budget.bound}) ${isOver ? 'OVER' : 'OK'}`;
  console.log(`  ${name}: ${ratio.value.toFixed(2)} times the CPU of flat statements, rounds ${range}${verdict}`);
  if (isOver) process.exitCode = 1;
}
