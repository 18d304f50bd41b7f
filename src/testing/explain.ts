import type postgres from 'postgres';
import type { Database, Statement, Value } from '../db/database.ts';
import { quote } from './list-conditions.ts';

/** A statement with the values it would have run with. */
export interface Captured {
  statement: Statement;
  values: readonly Value[];
}

/** What a piece of the server's code would run; every statement answers no rows. */
export async function captureStatements(work: (database: Database) => Promise<unknown>): Promise<Captured[]> {
  const captured: Captured[] = [];
  const database: Database = {
    run: async (statement, values) => {
      captured.push({ statement, values });
      return [];
    },
    transaction: (inner) => inner(database),
  };
  await work(database);
  return captured;
}

/** A node of EXPLAIN's JSON. */
export interface Plan {
  'Node Type': string;
  Plans?: Plan[];
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Shared Hit Blocks'?: number;
  'Shared Read Blocks'?: number;
}

/** The plan of the statement's very text, prepared as the driver prepares it; `options` of EXPLAIN. */
export async function explain(client: postgres.Sql, { statement, values }: Captured, options = ''): Promise<Plan> {
  await client.unsafe(`prepare probe as ${statement.text}`);
  try {
    const given = values.length > 0 ? `(${values.map(literalOf).join(', ')})` : '';
    const [row] = await client.unsafe(`explain (format json${options}) execute probe${given}`);
    return row!['QUERY PLAN'][0].Plan;
  } finally {
    await client.unsafe('deallocate probe');
  }
}

function literalOf(value: Value): string {
  if (value === null) return 'null';
  return quote(Array.isArray(value) ? `{${value.join()}}` : String(value));
}

export function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** Rows taken from tables and indexes, those a filter dropped included. */
export function rowsRead(plan: Plan): number {
  return nodesOf(plan)
    .filter((node) => node['Relation Name'] !== undefined)
    .map((node) => {
      const dropped = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
      return ((node['Actual Rows'] ?? 0) + dropped) * (node['Actual Loops'] ?? 1);
    })
    .reduce((sum, rows) => sum + rows, 0);
}

/** The scans whose rows a sort takes without a limit in between. */
export function sortedScans(plan: Plan): Plan[] {
  return nodesOf(plan)
    .filter((node) => node['Node Type'].endsWith('Sort'))
    .flatMap(scansBelow);
}

function scansBelow(node: Plan): Plan[] {
  if (node['Node Type'] === 'Limit') return [];
  if (node['Index Name'] !== undefined) return [node];
  return (node.Plans ?? []).flatMap(scansBelow);
}

/** A plan in one line, for messages. */
export function printPlan(plan: Plan): string {
  return nodesOf(plan)
    .map((node) => [node['Node Type'], node['Index Name'] ?? node['Relation Name'], node['Index Cond']])
    .map((parts) => parts.filter((part) => part !== undefined).join(' '))
    .join(' > ');
}
