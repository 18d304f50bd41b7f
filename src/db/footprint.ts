/**
 * Which rows a statement reads and which it changes, as tags: an answer is made of the tags of what it read, and is out of
 * date when one of them is among the tags of a change. In doubt a read is of all rows of a table, and a change too.
 */
import { Column, getTableName, is, SQL, Table } from 'drizzle-orm';
import type { Value } from './database.ts';

/**
 * Where values stand: in an argument of the statement (a list has several), in a property of the rows it answers, or in
 * its text.
 */
export type ValueSource = { readonly argument: string } | { readonly property: string } | { readonly constant: Value };

/** Rows whose column has a value. */
export interface KeyedRows {
  readonly column: Column;
  readonly values: ValueSource;
}

/** Changes of a table. */
export interface Writes {
  readonly table: Table;
  /** New rows: nothing that was read by an id can have been one of them. */
  readonly isInsert: boolean;
  /** Which rows, by each column that rows of the table are read by; empty: it is not known which. */
  readonly keys: readonly KeyedRows[];
}

export interface FootprintOptions {
  /** Rows read by the values of a column. Tables that it does not name are read whole. */
  readonly readsBy?: readonly KeyedRows[];
  /** Tables changed, also by cascades. Default: all tables of a statement that writes, each whole. */
  readonly writes?: readonly Writes[];
}

/** A footprint as a statement carries it: names, ready to become tags. */
export interface Footprint {
  readonly reads: readonly { readonly table: string; readonly keys: readonly NamedKey[] }[];
  readonly writes: readonly { readonly table: string; readonly keys: readonly NamedKey[] | null }[];
}

interface NamedKey {
  readonly column: string;
  readonly values: ValueSource;
}

/** Rows whose column is, or is in, an argument. */
export function rowsBy(column: Column, argument: string): KeyedRows {
  return { column, values: { argument } };
}

/** Rows whose column has this value, whatever the arguments. */
export function rowsWith(column: Column, constant: Value): KeyedRows {
  return { column, values: { constant } };
}

/** Rows whose column is a property of the rows that the statement answers. */
export function rowsAnswered(column: Column, property: string): KeyedRows {
  return { column, values: { property } };
}

/** New rows of a table, known by the columns that rows are read by other than their id. */
export function inserts(table: Table, ...keys: KeyedRows[]): Writes {
  return { table, isInsert: true, keys };
}

/** Rows of a table that change or go; all of them without keys. */
export function changes(table: Table, ...keys: KeyedRows[]): Writes {
  return { table, isInsert: false, keys };
}

/** The footprint of a statement by the tables that stand in its text. */
export function footprintOf(query: SQL, isRead: boolean, { readsBy = [], writes }: FootprintOptions): Footprint {
  const tables = [...new Set(tablesIn(query))];
  if (!isRead) return { reads: [], writes: writes?.map(nameWrites) ?? tables.map((table) => ({ table, keys: null })) };
  const keysOf = Map.groupBy(readsBy, ({ column }) => getTableName(column.table));
  return { reads: tables.map((table) => ({ table, keys: (keysOf.get(table) ?? []).map(nameKey) })), writes: [] };
}

function nameWrites({ table, isInsert, keys }: Writes): Footprint['writes'][number] {
  return { table: getTableName(table), keys: keys.length === 0 && !isInsert ? null : keys.map(nameKey) };
}

function nameKey({ column, values }: KeyedRows): NamedKey {
  return { column: column.name, values };
}

/** Tags of what a statement is about to read. */
export function tagsOfReads(
  { reads }: Footprint,
  organizationId: string,
  argumentOf: (argument: string) => Value,
): string[] {
  const tags: string[] = [];
  for (const { table, keys } of reads) {
    // By statements that name no organization, such as those of jobs.
    tags.push(`/${table}`);
    if (keys.length === 0) tags.push(`${organizationId}/${table}`);
    else tags.push(`${organizationId}/${table}.*`);
    for (const { column, values } of keys) {
      for (const value of valuesOf(values, argumentOf, [])) tags.push(`${organizationId}/${table}.${column}=${value}`);
    }
  }
  return tags;
}

/** Tags of what a statement has changed when it answered these rows; null: all that it may have changed. */
export function tagsOfWrites(
  { writes }: Footprint,
  organizationId: string,
  argumentOf: (argument: string) => Value,
  rows: readonly unknown[] | null,
): string[] {
  const tags = new Set<string>();
  for (const { table, keys } of writes) {
    tags.add(`${organizationId}/${table}`);
    if (keys === null || rows === null) tags.add(`${organizationId}/${table}.*`);
    for (const { column, values } of rows === null || keys === null ? [] : keys) {
      for (const value of valuesOf(values, argumentOf, rows ?? []))
        tags.add(`${organizationId}/${table}.${column}=${value}`);
    }
  }
  return [...tags];
}

function valuesOf(source: ValueSource, argumentOf: (argument: string) => Value, rows: readonly unknown[]) {
  if ('argument' in source) return listOf(argumentOf(source.argument));
  if ('constant' in source) return listOf(source.constant);
  return rows.map((row) => (row as Record<string, string | number>)[source.property]!);
}

function listOf(value: Value): readonly (string | number | boolean)[] {
  if (value === null) return [];
  return typeof value === 'object' ? value : [value];
}

// Written out where an alias or a common table expression stands in the way of the table itself.
const namedToWrite = /\b(?:update|into)\s+(?:only\s+)?"?([a-z_]+)/gi;
// Not a function, such as unnest(...), nor the word lateral.
const namedToRead = /\b(?:from|join|using)\s+(?:only\s+|lateral\s+)?"?([a-z_]+)\b(?!"?\s*\()/gi;

function tablesIn(query: SQL): string[] {
  return query.queryChunks.flatMap((chunk): string[] => {
    if (is(chunk, Table)) return [getTableName(chunk)];
    if (is(chunk, Column)) return [getTableName(chunk.table)];
    if (is(chunk, SQL)) return tablesIn(chunk);
    if (Array.isArray(chunk)) return chunk.flatMap((part) => (is(part, SQL) ? tablesIn(part) : []));
    const text = (chunk as { value?: unknown } | undefined)?.value;
    if (!Array.isArray(text)) return [];
    return [namedToWrite, namedToRead].flatMap((named) => [...text.join('').matchAll(named)].map(([, name]) => name!));
  });
}
