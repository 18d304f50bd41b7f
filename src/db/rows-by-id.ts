import { type Column, getTableColumns, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Database } from './database.ts';
import { rowsBy } from './footprint.ts';
import { arg, columns, statement } from './statement.ts';

/** Rows of the organization with these ids, in no order; unknown ids and those of others are left out. */
export type ListByIds<Row> = (database: Database, organizationId: string, ids: readonly string[]) => Promise<Row[]>;

/** The look-up of a table's rows by their ids, as one prepared statement whatever the number of ids. */
export function createListByIds<Row>(
  name: string,
  table: TableOfOrganization,
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

/** A row, and the one of another table that it refers to. */
export interface Joined<Row, Referenced> {
  readonly row: Row;
  readonly referenced: Referenced;
}

type TableOfOrganization = PgTable & { organizationId: Column; id: Column };

/**
 * The look-up of a table's rows by their ids with what each refers to, as one statement: for who asks for both anyhow.
 * @param key the foreign key, which is never null
 */
export function createJoinedListByIds<Row, Referenced>(
  name: string,
  table: TableOfOrganization,
  { key, to }: { key: Column; to: TableOfOrganization },
): ListByIds<Joined<Row, Referenced>> {
  const properties = Object.entries(getTableColumns(to));
  const prefixed = properties.map(([property, column]) => sql`${column} as ${sql.identifier(`to.${property}`)}`);
  const rowsByIds = statement<Row & Record<string, unknown>>(
    name,
    sql`select ${columns(table)}, ${sql.join(prefixed, sql`, `)} from ${table}
      join ${to} on ${to.organizationId} = ${table.organizationId} and ${to.id} = ${key}
      where ${table.organizationId} = ${arg('organizationId')} and ${table.id} = any(${arg('ids')}::uuid[])`,
    { readsBy: [rowsBy(table.id, 'ids')] },
  );
  return async (database, organizationId, ids) => {
    const rows = await rowsByIds.run(database, { organizationId, ids });
    return rows.map((row) => {
      const referenced: Record<string, unknown> = {};
      for (const [property] of properties) referenced[property] = row[`to.${property}`];
      return { row, referenced: referenced as Referenced };
    });
  };
}

/** Rows in the order of their ids; ids without a row are left out. */
export function inOrderOf<Row extends { id: string }>(ids: readonly string[], rows: readonly Row[]): Row[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}
