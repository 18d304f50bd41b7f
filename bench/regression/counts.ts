/** `npm run bench -- counts`: what operations take, counted instead of timed, against what stands in bench/counts.json. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkBudgets, reportBudgets } from '../budgets.ts';
import { startBenchDatabase } from '../suite/bench-database.ts';
import { seedCountedData } from './counted-data.ts';
import { type CountedOperation, countedFeatures, createCountedOperations } from './counted-operations.ts';
import { startCountedServer } from './counted-server.ts';
import { type CountDifference, compareCounts, type ExpectedCounts, parseExpectedCounts } from './expected-counts.ts';
import {
  type CountedServers,
  countOperation,
  countStatementsBySize,
  type OperationCounts,
} from './operation-counts.ts';

const expectedFile = fileURLToPath(new URL('../counts.json', import.meta.url));
const cacheBytes = 67_108_864;

/**
 * Prints the figures. More of one than its tolerance allows fails the process at its end, as do statements that depend on
 * the number of rows.
 * @param options update: writes them as what is expected from now on
 */
export async function benchCounts({ update }: { update: boolean }): Promise<void> {
  const startedMs = performance.now();
  const { measured, complaints, statementsMore } = await countAll();
  console.table(Object.fromEntries([...measured].map(([name, counts]) => [name, describe(counts)])));
  for (const complaint of complaints) fail(complaint);
  reportBudgets(checkBudgets([{ id: 'statements-per-row', value: statementsMore }]));
  const expected = parseExpectedCounts(readFileSync(expectedFile, 'utf8'));
  if (update) writeExpected(expected, measured);
  else report(expected, measured);
  console.log(`${Math.round((performance.now() - startedMs) / 1_000)} s`);
}

interface Counted {
  measured: Map<string, OperationCounts>;
  /** Of statements that depend on the number of rows. */
  complaints: string[];
  /** Of an operation for one number of rows than for another, at most. */
  statementsMore: number;
}

/** Those from the cache last: their servers have it on. */
async function countAll(): Promise<Counted> {
  const counted: Counted = { measured: new Map(), complaints: [], statementsMore: 0 };
  const database = await startBenchDatabase(countedFeatures, seedCountedData);
  try {
    for (const isCached of [true, false]) {
      const environment = isCached ? { RESPONSE_CACHE_BYTES: String(cacheBytes) } : {};
      const [work, allocations] = await Promise.all([
        startCountedServer(database, 'work', environment),
        startCountedServer(database, 'allocations', environment),
      ]);
      try {
        const operations = await createCountedOperations(work.ask);
        await countEach(
          operations.filter((operation) => operation.isCached === isCached),
          { work, allocations },
          counted,
        );
      } finally {
        await Promise.all([work.stop(), allocations.stop()]);
      }
    }
    return counted;
  } finally {
    await database.remove();
  }
}

async function countEach(operations: CountedOperation[], servers: CountedServers, counted: Counted): Promise<void> {
  for (const operation of operations) {
    process.stderr.write(`${operation.name} …\n`);
    counted.measured.set(operation.name, await countOperation(operation, servers));
    const bySize = await countStatementsBySize(operation, servers.work);
    const totals = [...bySize.values()].map(countStatements);
    if (totals.length > 0) {
      counted.statementsMore = Math.max(counted.statementsMore, Math.max(...totals) - Math.min(...totals));
    }
    const distinct = new Set([...bySize.values()].map((statements) => JSON.stringify(statements)));
    if (distinct.size > 1) {
      const lines = [...bySize].map(([rows, statements]) => `${rows} rows ${JSON.stringify(statements)}`);
      counted.complaints.push(`${operation.name}: the statements depend on the number of rows: ${lines.join(', ')}`);
    }
  }
}

function report(expected: ExpectedCounts, measured: ReadonlyMap<string, OperationCounts>): void {
  if (expected.node !== process.version) {
    console.log(`the expected figures are of Node ${expected.node}, and this is ${process.version}`);
  }
  const differences = compareCounts(expected, measured);
  for (const difference of differences) {
    if (difference.hasGrown) fail(describeDifference(difference));
    else console.log(describeDifference(difference));
  }
  if (differences.length > 0) {
    console.log('When this is as it should be, update bench/counts.json by `npm run bench -- counts --update`.');
  } else {
    console.log('All figures are as expected.');
  }
}

function describeDifference({ operation, figure, before, after }: CountDifference): string {
  if (before === null) return `${operation}: is not in bench/counts.json`;
  const change = before === 0 ? '' : ` (${after > before ? '+' : ''}${((after / before - 1) * 100).toFixed(1)} %)`;
  return `${operation}, ${figure}: ${before.toLocaleString('en')} -> ${after.toLocaleString('en')}${change}`;
}

function describe({ statements, promises, calls, characters, allocatedBytes }: OperationCounts) {
  return {
    statements: countStatements(statements),
    promises,
    calls,
    'source characters': characters,
    'KiB allocated': Number((allocatedBytes / 1_024).toFixed(1)),
  };
}

function countStatements(statements: Readonly<Record<string, number>>): number {
  return Object.values(statements).reduce((sum, count) => sum + count, 0);
}

function fail(text: string): void {
  console.log(`GROWN: ${text}`);
  process.exitCode = 1;
}

function writeExpected({ tolerances }: ExpectedCounts, measured: ReadonlyMap<string, OperationCounts>): void {
  const expected: ExpectedCounts = { node: process.version, tolerances, operations: Object.fromEntries(measured) };
  writeFileSync(expectedFile, `${JSON.stringify(expected, null, 2)}\n`);
  console.log('bench/counts.json is written');
}
