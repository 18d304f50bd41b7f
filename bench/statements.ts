/**
 * CPU of a statement through src/db, with its rows joined, against the same statement through plain postgres.js: as the
 * pool has it, one at a time on a connection, and as the driver would by itself, several in one write.
 */
import { execFileSync } from 'node:child_process';
import postgres from 'postgres';
import { driverTypes } from '../src/db/connection.ts';
import type { Database, SharedDatabase, Statement, Value } from '../src/db/database.ts';
import type { PageRequest } from '../src/db/list.ts';
import { createPool } from '../src/db/pool.ts';
import { messageList } from '../src/domains/conversations/queries.ts';
import { featureList, listFeaturesByIds, testCaseList } from '../src/domains/features/queries.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { startTestPostgres } from '../src/testing/test-postgres.ts';
import { median, percentile } from './statistics.ts';

const connections = 8;
const inFlight = 32;
/** For the compiler. */
const warmUp = 5_000;

export interface StatementsOptions {
  /** A database that is seeded. Default: one of its own, with 2,000 features. */
  url?: string;
  /** Turns of each side. */
  rounds: number;
  /** Statements of a turn. */
  statements: number;
}

/** One statement as the resolvers run it. */
interface Case {
  name: string;
  run(database: Database): Promise<unknown>;
}

/** @throws Error for a database without rows of the demo organization's size */
export async function benchStatements({ url, ...options }: StatementsOptions): Promise<void> {
  if (url !== undefined) return measureAll(url, options);
  const server = await startTestPostgres();
  try {
    const args = ['src/seed/cli.ts', '--scale', '2000'];
    execFileSync(process.execPath, args, { env: { DATABASE_URL: server.url }, stdio: ['ignore', 'ignore', 'inherit'] });
    await measureAll(server.url, options);
  } finally {
    await server.remove();
  }
}

async function measureAll(url: string, options: Omit<StatementsOptions, 'url'>): Promise<void> {
  const { onStatement } = createMetrics();
  const pool = createPool({ connection: url, size: connections, onStatement });
  const driverOptions = { max: connections, fetch_types: false, types: driverTypes, max_lifetime: null };
  const client = postgres(url, driverOptions);
  // Its limit counts those behind the one that runs.
  const unpipelined = postgres(url, { ...driverOptions, max_pipeline: 0 } as never);
  try {
    const [row] = await client<{ id: string }[]>`
      select organization_id as id from features group by 1 order by count(*) desc limit 1`;
    for (const { name, run } of await createCases(client, row!.id)) {
      const sent = await capture(pool, row!.id, run);
      const ours = () => run(pool.within({ signal: new AbortController().signal, organizationId: row!.id }));
      report(name, await inTurns([ours, plain(unpipelined, sent), plain(client, sent)], options));
    }
  } finally {
    await Promise.all([pool.close(), client.end(), unpipelined.end()]);
  }
}

async function createCases(client: postgres.Sql, organizationId: string): Promise<Case[]> {
  const idsOf = async (table: string, count: number) => {
    const rows = await client<{ id: string }[]>`
      select id from ${client(table)} where organization_id = ${organizationId} order by id limit ${count}`;
    return rows.map(({ id }) => id);
  };
  const features = await idsOf('features', 20);
  const conversations = await idsOf('conversations', 20);
  if (features.length < 20 || conversations.length < 20)
    throw new Error('expected at least 20 features and conversations');
  const page = (limit: number): PageRequest => ({
    filters: {},
    order: 'CREATED_AT',
    direction: 'DESC',
    limit,
    isBackward: false,
    after: null,
    before: null,
  });
  return [
    { name: 'one feature by id', run: (database) => listFeaturesByIds(database, organizationId, features.slice(0, 1)) },
    { name: '20 features by ids', run: (database) => listFeaturesByIds(database, organizationId, features) },
    { name: 'a page of 100 features', run: (database) => featureList.page(database, organizationId, page(100)) },
    {
      name: '5 test cases of 20 features',
      run: (database) => testCaseList.pages(database, organizationId, features, page(5)),
    },
    {
      name: '10 messages of 20 conversations',
      run: (database) => messageList.pages(database, organizationId, conversations, page(10)),
    },
  ];
}

/** A statement as it is sent. */
interface Sent {
  statement: Statement;
  values: readonly Value[];
}

async function capture(database: SharedDatabase, organizationId: string, run: Case['run']): Promise<Sent> {
  const sent: Sent[] = [];
  const onRun = (statement: Statement, values: readonly Value[]) => sent.push({ statement, values });
  await run(database.within({ signal: new AbortController().signal, organizationId, onRun }));
  return sent[0]!;
}

/** The statement through the driver alone. */
function plain(client: postgres.Sql, { statement, values }: Sent): () => Promise<unknown> {
  return () => client.unsafe(statement.text, [...values] as never[], { prepare: true });
}

/** Microseconds of CPU of this thread for a statement, of each side, turn by turn. */
async function inTurns(
  sides: readonly (() => Promise<unknown>)[],
  { rounds, statements }: Omit<StatementsOptions, 'url'>,
): Promise<number[][]> {
  const micros: number[][] = sides.map(() => []);
  for (const side of sides) await cpuMicrosOf(side, warmUp);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, side] of sides.entries()) micros[index]!.push(await cpuMicrosOf(side, statements));
  }
  return micros;
}

async function cpuMicrosOf(run: () => Promise<unknown>, statements: number): Promise<number> {
  let left = statements;
  const work = async () => {
    while (left > 0) {
      left -= 1;
      await run();
    }
  };
  const before = process.threadCpuUsage();
  await Promise.all(Array.from({ length: inFlight }, work));
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / statements;
}

function report(name: string, [ours, unpipelined, pipelined]: number[][]): void {
  const micros = `${median(ours!).toFixed(0).padStart(4)} µs`;
  const ratios = `${ratio(ours!, unpipelined!)} of plain, one at a time; ${ratio(ours!, pipelined!)} of plain, pipelined`;
  console.log(`${name.padEnd(32)} ${micros}; ${ratios}`);
}

/** Median and middle half of the ratios, turn by turn. */
function ratio(micros: readonly number[], limits: readonly number[]): string {
  const ratios = micros.map((value, round) => value / limits[round]!);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => percentile(ratios, share).toFixed(2));
  return `${middle} (${low} to ${high})`;
}
