import { type Column, getTableColumns, type SQL, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Database } from './database.ts';
import { rowsBy } from './footprint.ts';
import { arg, columns, statement, unseenArg } from './statement.ts';

/** Rows of the organization with these ids, in no order; unknown ids and those of others are left out. */
export type ListByIds<Row> = (database: Database, organizationId: string, ids: readonly string[]) => Promise<Row[]>;

type TableOfOrganization = PgTable & { organizationId: Column; id: Column };

/** The look-up of a table's rows by their ids, as one prepared statement for one id and one for any other number. */
export function createListByIds<Row>(
  name: string,
  table: TableOfOrganization,
  properties?: readonly string[],
): ListByIds<Row> {
  return prepareByIds(
    name,
    table,
    (condition) => sql`select ${columns(table, properties)} from ${table} where ${condition}`,
  );
}

/** A row, and the one of another table that it refers to. */
export interface Joined<Row, Referenced> {
  readonly row: Row;
  readonly referenced: Referenced;
}

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
  const listByIds = prepareByIds<Row & Record<string, unknown>>(
    name,
    table,
    (condition) => sql`select ${columns(table)}, ${sql.join(prefixed, sql`, `)} from ${table}
      join ${to} on ${to.organizationId} = ${table.organizationId} and ${to.id} = ${key} where ${condition}`,
  );
  return async (database, organizationId, ids) => {
    const rows = await listByIds(database, organizationId, ids);
    return rows.map((row) => {
      const referenced: Record<string, unknown> = {};
      for (const [property] of properties) referenced[property] = row[`to.${property}`];
      return { row, referenced: referenced as Referenced };
    });
  };
}

/**
 * One id is compared as one: an array of one, even when plans do not see it, takes half as long again (96 µs and 140 for a
 * feature with its owner).
 */
function prepareByIds<Row>(name: string, table: TableOfOrganization, build: (condition: SQL) => SQL): ListByIds<Row> {
  const prepare = (isOneOf: SQL) =>
    statement<Row>(name, build(sql`${table.organizationId} = ${arg('organizationId')} and ${table.id} ${isOneOf}`), {
      readsBy: [rowsBy(table.id, 'ids')],
      boundedBy: ['ids'],
    });
  const one = prepare(sql`= ${arg('ids')}`);
  const many = prepare(sql`= any(${unseenArg('ids', 'uuid[]')}::uuid[])`);
  return (database, organizationId, ids) =>
    ids.length === 1
      ? one.run(database, { organizationId, ids: ids[0]! })
      : many.run(database, { organizationId, ids });
}

/** Rows in the order of their ids; ids without a row are left out. */
export function inOrderOf<Row extends { id: string }>(ids: readonly string[], rows: readonly Row[]): Row[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}
