import { type Column, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Database } from './database.ts';
import { rowsBy } from './footprint.ts';
import { arg, columns, statement } from './statement.ts';

/** Rows of the organization with these ids, in no order; unknown ids and those of others are left out. */
export type ListByIds<Row> = (database: Database, organizationId: string, ids: readonly string[]) => Promise<Row[]>;

/** The look-up of a table's rows by their ids, as one prepared statement whatever the number of ids. */
export function createListByIds<Row>(
  name: string,
  table: PgTable & { organizationId: Column; id: Column },
  properties?: readonly string[],
): ListByIds<Row> {
  const rowsByIds = statement<Row>(
    name,
    sql`select ${columns(table, properties)} from ${table}
      where ${table.organizationId} = ${arg('organizationId')} and ${table.id} = any(${arg('ids')}::uuid[])`,
    { readsBy: [rowsBy(table.id, 'ids')] },
  );
  return (database, organizationId, ids) => rowsByIds.run(database, { organizationId, ids });
}

/** Rows in the order of their ids; ids without a row are left out. */
export function inOrderOf<Row extends { id: string }>(ids: readonly string[], rows: readonly Row[]): Row[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}
