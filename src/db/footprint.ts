/**
 * Which rows a statement reads and which it changes, as tags: an answer is made of the tags of what it read, and is out of
 * date when one of them is among the tags of a change. In doubt a read is of all rows of a table, and a change too.
 *
 * `organization/table` is a table read as a whole, `organization/table.column=value` its rows with that value, beside
 * `organization/table.*` for changes of rows that are not known. What is looked for in a table is out of date, too, when rows
 * come or go (`organization/table:+`) and when a column changes that decides of it (`organization/table:column`). `/table` is
 * of all organizations.
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

/** Rows of a table that were looked for and put in order by some of its columns. */
export interface FoundRows {
  readonly table: Table;
  readonly by: readonly Column[];
  /** Those whose other columns were read: answered by the statement. null: none, they were only counted. */
  readonly rows: KeyedRows | null;
}

/** Changes of a table. */
export interface Writes {
  readonly table: Table;
  /** New rows: nothing that was read by an id can have been one of them. */
  readonly isInsert: boolean;
  /** Which rows, by each column that rows of the table are read by; empty: it is not known which. */
  readonly keys: readonly KeyedRows[];
  /** The only ones that change, in rows that stay; null: any, or rows come or go. */
  readonly columns: readonly Column[] | null;
}

export interface FootprintOptions {
  /** Rows read by the values of a column. Tables that neither this nor `finds` names are read whole. */
  readonly readsBy?: readonly KeyedRows[];
  /** Rows looked for in one table. Default: none. */
  readonly finds?: FoundRows | undefined;
  /** Tables changed, also by cascades. Default: all tables of a statement that writes, each whole. */
  readonly writes?: readonly Writes[];
}

/** A footprint as a statement carries it: names, ready to become tags. */
export interface Footprint {
  readonly reads: readonly NamedReads[];
  readonly writes: readonly NamedWrites[];
}

interface NamedReads {
  readonly table: string;
  readonly keys: readonly NamedKey[];
  /** Of what changes which rows are found; null: they are not looked for by columns. */
  readonly aspects: readonly string[] | null;
}

interface NamedWrites {
  readonly table: string;
  readonly keys: readonly NamedKey[] | null;
  readonly aspects: readonly string[];
}

interface NamedKey {
  readonly column: string;
  readonly values: ValueSource;
}

/** What changes where rows come, go or change in columns that are not known. Columns are the other aspects. */
export const rowsAspect = '+';

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
  return { table, isInsert: true, keys, columns: null };
}

/** Rows of a table that change or go; all of them without keys. */
export function changes(table: Table, ...keys: KeyedRows[]): Writes {
  return { table, isInsert: false, keys, columns: null };
}

/**
 * Rows of a table in which only these columns change, known by their id at least: lists that neither are in order of one of
 * them nor have one of the rows stay as they are.
 * @throws TypeError without a key by the id
 */
export function changesIn(table: Table, columns: readonly Column[], ...keys: KeyedRows[]): Writes {
  if (!keys.some(({ column }) => column.name === 'id')) throw new TypeError('expected the rows by their id, too');
  return { table, isInsert: false, keys, columns };
}

/** The footprint of a statement by the tables that stand in its text. */
export function footprintOf(query: SQL, isRead: boolean, options: FootprintOptions): Footprint {
  const tables = [...new Set(tablesIn(query))];
  if (isRead) return { reads: tables.map((table) => nameReads(table, options)), writes: [] };
  const writes =
    options.writes?.map(nameWrites) ?? tables.map((table) => ({ table, keys: null, aspects: [rowsAspect] }));
  return { reads: [], writes };
}

function nameReads(table: string, { readsBy = [], finds }: FootprintOptions): NamedReads {
  const found = finds && getTableName(finds.table) === table ? finds : null;
  const keys = readsBy.filter(({ column }) => getTableName(column.table) === table);
  if (found?.rows) keys.push(found.rows);
  return { table, keys: keys.map(nameKey), aspects: found && [rowsAspect, ...namesOf(found.by)] };
}

function nameWrites({ table, isInsert, keys, columns }: Writes): NamedWrites {
  return {
    table: getTableName(table),
    keys: keys.length === 0 && !isInsert ? null : keys.map(nameKey),
    aspects: columns ? namesOf(columns) : [rowsAspect],
  };
}

function namesOf(columns: readonly Column[]): readonly string[] {
  return [...new Set(columns.map(({ name }) => name))];
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
  for (const { table, keys, aspects } of reads) {
    const name = `${organizationId}/${table}`;
    // By statements that name no organization, such as those of jobs.
    tags.push(`/${table}`, keys.length === 0 && aspects === null ? name : `${name}.*`);
    for (const aspect of aspects ?? []) tags.push(`${name}:${aspect}`);
    for (const key of keys) addTags(tags, name, key, argumentOf, []);
  }
  return tags;
}

/** Whether rows that a statement answers are known as read only by its answer. */
export function readsByAnswer({ reads }: Footprint): boolean {
  return reads.some(({ keys }) => keys.some(({ values }) => 'property' in values));
}

/** Tags of the rows that a statement has read, by what it answered; those of tagsOfReads stand beside them. */
export function tagsOfAnswered(
  { reads }: Footprint,
  organizationId: string,
  argumentOf: (argument: string) => Value,
  rows: readonly unknown[],
): string[] {
  const tags: string[] = [];
  for (const { table, keys } of reads) {
    const answered = keys.filter(({ values }) => 'property' in values);
    for (const key of answered) addTags(tags, `${organizationId}/${table}`, key, argumentOf, rows);
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
  const tags: string[] = [];
  for (const { table, keys, aspects } of writes) {
    const name = `${organizationId}/${table}`;
    tags.push(name);
    for (const aspect of aspects) tags.push(`${name}:${aspect}`);
    if (keys === null || rows === null) tags.push(`${name}.*`);
    else for (const key of keys) addTags(tags, name, key, argumentOf, rows);
  }
  return [...new Set(tags)];
}

function addTags(
  tags: string[],
  name: string,
  { column, values }: NamedKey,
  argumentOf: (argument: string) => Value,
  rows: readonly unknown[],
): void {
  for (const value of valuesOf(values, argumentOf, rows)) tags.push(`${name}.${column}=${value}`);
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
