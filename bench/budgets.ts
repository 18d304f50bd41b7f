/** What the figures of the benches may not pass. A budget that is not met fails the run that measured it. */
export interface Budget {
  id: string;
  /** Such as `standard reads, p95`. */
  what: string;
  /** Itself within the budget. */
  bound: number;
  unit: string;
  /** Whether values above the bound miss it; otherwise those below it do. */
  isUpper: boolean;
  /** The subcommand of `npm run bench --`. */
  bench: string;
}

export interface BudgetCheck {
  budget: Budget;
  value: number;
  isMet: boolean;
}

type Row = readonly [id: string, what: string, bound: number, unit: string, bench: string];

const atMost: readonly Row[] = [
  // CPU of the server for a request against node:http with flat statements joined in JavaScript, at 32 connections.
  ['cpu-features-page', 'CPU against flat statements, 20 features', 1.65, 'times', 'four-queries'],
  ['cpu-conversations-page', 'CPU against flat statements, 20 conversations', 1.6, 'times', 'four-queries'],
  ['cpu-feature-by-id', 'CPU against flat statements, one feature by id', 1.5, 'times', 'four-queries'],
  ['cpu-deep-page', 'CPU against flat statements, 100 features at a deep cursor', 1.8, 'times', 'four-queries'],
  ['critical-reads-p50', 'critical reads (cached or single object), p50', 10, 'ms', 'load'],
  ['critical-reads-p95', 'critical reads (cached or single object), p95', 100, 'ms', 'load'],
  ['standard-reads-p50', 'standard reads (nested lists), p50', 100, 'ms', 'load'],
  ['standard-reads-p95', 'standard reads (nested lists), p95', 200, 'ms', 'load'],
  ['standard-reads-p99', 'standard reads (nested lists), p99', 800, 'ms', 'load'],
  ['bulk-operations-p95', 'bulk operations, p95', 1_000, 'ms', 'load'],
  ['health-checks-p95', 'health checks under full load, p95', 50, 'ms', 'load'],
  ['error-share', 'errors under the target load', 0.1, '%', 'load'],
  ['wrong-answers', 'wrong answers under the target load', 0, 'answers', 'load'],
  ['cpu-share', 'CPU under the target load', 80, '%', 'load'],
  ['statement-p95', 'database statement, p95', 50, 'ms', 'load'],
  ['pool-size-most', 'connections of a pool', 50, 'connections', 'load'],
  ['pool-waiting', 'statements of a single request that wait for a connection', 0, 'statements', 'load'],
  ['statements-per-row', 'statements more for 100 rows than for 1', 0, 'statements', 'counts'],
  ['inference-single-p95', 'inference of one row, p95', 50, 'ms', 'inference'],
  ['inference-batch-p95', 'inference of a few hundred rows, p95', 100, 'ms', 'inference'],
  ['inference-overload-p95', 'inference under overload, p95', 2_000, 'ms', 'inference'],
  ['memory-steady', 'RSS of one process, steady', 512, 'MiB', 'endurance'],
  ['memory-peak', 'RSS of one process, ever', 2_048, 'MiB', 'endurance'],
  // Flat, that is: 10 MiB an hour are 3 bytes for each of 1,000 requests a second.
  ['memory-growth', "growth of RSS, low end of the slope's 95 % interval", 10, 'MiB/h', 'endurance'],
];

const atLeast: readonly Row[] = [
  ['cached-mix-rate', 'throughput of the cached mix', 10_000, 'req/s', 'cached-mix'],
  ['uncached-mix-rate', 'throughput of the uncached mix', 1_000, 'req/s', 'load'],
  ['cache-hit-ratio', 'cache hits of the read mix', 92, '%', 'cached-mix'],
  ['pool-size-least', 'connections of a pool', 20, 'connections', 'load'],
];

export const budgets: readonly Budget[] = [
  ...atMost.map((row) => toBudget(row, true)),
  ...atLeast.map((row) => toBudget(row, false)),
];

/** Throws for an id that no budget has. */
export function findBudget(id: string): Budget {
  const budget = budgets.find((candidate) => candidate.id === id);
  if (budget) return budget;
  throw new Error(`no budget "${id}": expected one of ${budgets.map((candidate) => candidate.id).join(', ')}`);
}

/** In the order of the figures. What is no number (NaN: nothing was measured) meets no budget; an unknown id throws. */
export function checkBudgets(figures: readonly { id: string; value: number }[]): BudgetCheck[] {
  return figures.map(({ id, value }) => {
    const budget = findBudget(id);
    return { budget, value, isMet: isWithin(value, budget) };
  });
}

export function isWithin(value: number, { bound, isUpper }: Pick<Budget, 'bound' | 'isUpper'>): boolean {
  return isUpper ? value <= bound : value >= bound;
}

/** Prints a line for each; one that is not met fails the process at its end. */
export function reportBudgets(checks: readonly BudgetCheck[]): void {
  const rows = checks.map(({ budget, value, isMet }) => [
    budget.what,
    `${formatValue(value)} ${budget.unit}`,
    `${budget.isUpper ? 'at most' : 'at least'} ${formatValue(budget.bound)}`,
    isMet ? 'met' : 'MISSED',
  ]);
  const header = ['budget', 'measured', 'bound', ''];
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  for (const row of [header, ...rows]) {
    console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd());
  }
  if (checks.some(({ isMet }) => !isMet)) process.exitCode = 1;
}

function formatValue(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}

function toBudget([id, what, bound, unit, bench]: Row, isUpper: boolean): Budget {
  return { id, what, bound, unit, isUpper, bench };
}
