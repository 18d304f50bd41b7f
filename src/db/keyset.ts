import { Column, getTableColumns, is, SQL, type SQLWrapper, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { KeyType } from './cursor.ts';
import { arg, columns, unseenArg } from './statement.ts';

/** One column of an order. `property` is its name in the row; a null there stands for `whenNull`, as in `expression`. */
export interface KeyPart {
  expression: SQLWrapper;
  type: KeyType;
  property: string;
  whenNull?: string;
}

/** A filter of a list: the condition over its own arguments. */
export interface Filter {
  condition: SQL;
  /**
   * A filter by a list of values reads each value's index range in order and merges the heads, instead of sorting all
   * that match: `column` = each element of the argument, an array of `type`.
   */
  each?: { column: Column; type: string; argument: string };
  /** A filter by a range of this property: how many rows it leaves, and so the right plan, depends on its values. */
  range?: string;
  /** In no order can the right plan be known without the values. */
  needsValues?: true;
}

/** A list the schema offers: its table, its filters and its orders. Every order ends in the primary key. */
export interface ListSource {
  /** Names statements and cursors. */
  name: string;
  table: PgTable & { organizationId: Column };
  properties?: readonly string[];
  /** Only rows that are public, by this column. */
  isPublic?: Column;
  /** The foreign key of a nested list. */
  parent?: Column;
  /** What a nested list's rows have in common with parents.id, for partition pruning. */
  nested?: SQL;
  filters: Readonly<Record<string, Filter>>;
  orders: Readonly<Record<string, readonly KeyPart[]>>;
}

/** What decides a page's text: nothing of it comes from the values of a request. */
export interface PageShape {
  filters: readonly string[];
  order: string;
  /** The direction of the scan; a backward page scans against the order asked for. */
  isAscending: boolean;
  hasAfter: boolean;
  hasBefore: boolean;
}

/**
 * One page of a list by keyset: an index range of at most `limit` rows, however deep.
 * Arguments: organizationId, limit, the filters' own, after0… (rows beyond it in scan direction) and before0….
 */
export function pageQuery(source: ListSource, shape: PageShape): SQL {
  const limit = limitOf(source, shape);
  const eachName = shape.filters.find((name) => source.filters[name]!.each !== undefined);
  if (eachName === undefined) return sql`${scan(source, shape, [])} ${limit}`;
  const each = source.filters[eachName]!.each!;
  const others = { ...shape, filters: shape.filters.filter((name) => name !== eachName) };
  const order = shape.isAscending ? sql`asc` : sql`desc`;
  const outerOrder = sql.join(
    keyOf(source, shape.order).map((part) => sql`page.${sql.identifier(part.property)} ${order}`),
    sql`, `,
  );
  return sql`select page.* from unnest(${arg(each.argument)}::text[]::${sql.raw(`${each.type}[]`)}) as each(value)
    cross join lateral (${scan(source, others, [sql`${each.column} = each.value`])} ${limit}) as page
    order by ${outerOrder} ${limit}`;
}

function limitOf(source: ListSource, shape: PageShape): SQL {
  return hasOnePlan(source, shape) ? sql`limit ${unseenArg('limit', 'bigint')}` : sql`limit ${arg('limit')}`;
}

/**
 * The pages of many parents in one statement: the same index range per parent, joined laterally.
 * Arguments as pageQuery's, and parents (their ids). Rows carry parentId; within a parent they come in the page's order
 * (a nested loop over a limited subquery keeps it, and the property tests hold it to that).
 */
export function nestedPageQuery(source: ListSource, shape: PageShape): SQL {
  const parent = requireParent(source);
  return sql`select parents.id as "parentId", page.* from unnest(${unseenArg('parents', 'uuid[]')}) as parents(id)
    cross join lateral (${scan(source, shape, ofParent(source, parent))} limit ${arg('limit')}) as page`;
}

/** How many rows a list has under its filters, as `count`. Arguments: organizationId and the filters' own. */
export function countQuery(source: ListSource, filters: readonly string[]): SQL {
  return sql`select count(*)::integer as count from ${source.table} where ${conditions(source, filters, [])}`;
}

/** The count of each parent, as parentId and count. */
export function nestedCountQuery(source: ListSource, filters: readonly string[]): SQL {
  const parent = requireParent(source);
  return sql`select parents.id as "parentId", rows.count from unnest(${unseenArg('parents', 'uuid[]')}) as parents(id)
    cross join lateral (select count(*)::integer as count from ${source.table}
      where ${conditions(source, filters, ofParent(source, parent))}) as rows`;
}

/**
 * Whether one plan fits all values of a page. Not so for a range in an order of another column: the cached plan of a
 * day's range sorts what it finds, and for all time that is the table (59,400 rows for a page of 20, against 21). Nor for a
 * text in the name: one that few have is found by its trigrams, in 0.15 ms of 20,000 features; one that most have would be
 * found so in 44 ms, and in 0.13 by reading the order until there are enough.
 */
export function isPlanStable(source: ListSource, shape: PageShape): boolean {
  const [first] = keyOf(source, shape.order);
  return shape.filters.every((name) => {
    const { range, needsValues = false } = source.filters[name]!;
    return !needsValues && (range === undefined || range === first!.property);
  });
}

/**
 * Whether its page is read along one index whatever the values. Of several filters one may leave few rows and another
 * many: which of them is better read by an index, values tell.
 */
export function hasOnePlan(source: ListSource, shape: PageShape): boolean {
  return shape.filters.length <= 1 && isPlanStable(source, shape);
}

/**
 * The columns that decide which rows a page has, and in which order: a row that changes in others neither comes nor goes.
 * @param order null: in none, as for a count
 * @throws TypeError for a filter that names no column of the table as such
 */
export function columnsThatFind(source: ListSource, filters: readonly string[], order: string | null): Column[] {
  const ofFilters = filters.flatMap((name) => {
    const named = columnsIn(source.filters[name]!.condition).filter(({ table }) => table === source.table);
    if (named.length === 0) throw new TypeError(`${source.name}: the filter ${name} names no column`);
    return named;
  });
  const parts = order === null ? [] : keyOf(source, order);
  return [...ofFilters, ...parts.map(({ property }) => columnOf(source.table, property))];
}

function columnsIn(query: SQL): Column[] {
  return query.queryChunks.flatMap((chunk) => (is(chunk, Column) ? [chunk] : is(chunk, SQL) ? columnsIn(chunk) : []));
}

function columnOf(table: PgTable, property: string): Column {
  const column = getTableColumns(table)[property];
  if (!column) throw new TypeError(`no column ${property}`);
  return column;
}

export function keyOf(source: ListSource, order: string): readonly KeyPart[] {
  const key = source.orders[order];
  if (!key) throw new TypeError(`${source.name} has no order ${order}`);
  return key;
}

function scan(source: ListSource, shape: PageShape, more: SQL[]): SQL {
  const key = keyOf(source, shape.order);
  const direction = shape.isAscending ? sql`asc` : sql`desc`;
  const beyond = shape.isAscending ? sql`>` : sql`<`;
  const short = shape.isAscending ? sql`<` : sql`>`;
  const bounds = [
    ...(shape.hasAfter ? [keyComparison(key, beyond, 'after')] : []),
    ...(shape.hasBefore ? [keyComparison(key, short, 'before')] : []),
  ];
  const order = sql.join(
    key.map((part) => sql`${part.expression} ${direction}`),
    sql`, `,
  );
  return sql`select ${columns(source.table, source.properties)} from ${source.table}
    where ${conditions(source, shape.filters, [...more, ...bounds])} order by ${order}`;
}

function conditions(source: ListSource, filters: readonly string[], more: readonly SQL[]): SQL {
  const organization = sql`${source.table.organizationId} = ${arg('organizationId')}`;
  const list = [
    organization,
    ...(source.isPublic ? [sql`${source.isPublic}`] : []),
    ...more,
    ...filters.map((name) => source.filters[name]!.condition),
  ];
  return sql.join(list, sql` and `);
}

/** A row comparison: Postgres turns it into one index bound over all columns of the key. */
function keyComparison(key: readonly KeyPart[], operator: SQL, side: 'after' | 'before'): SQL {
  const left = sql.join(
    key.map((part) => part.expression),
    sql`, `,
  );
  const right = sql.join(
    key.map((part, index) => sql`${arg(`${side}${index}`)}::${sql.raw(part.type)}`),
    sql`, `,
  );
  return key.length === 1 ? sql`${left} ${operator} ${right}` : sql`(${left}) ${operator} (${right})`;
}

function ofParent(source: ListSource, parent: Column): SQL[] {
  return [sql`${parent} = parents.id`, ...(source.nested ? [source.nested] : [])];
}

/** @throws TypeError for a list that is not nested */
export function requireParent(source: ListSource): Column {
  if (!source.parent) throw new TypeError(`${source.name} is no nested list`);
  return source.parent;
}

/** The key part of a column of a table that is never null. */
export function keyPart(table: PgTable, property: string, type: KeyType): KeyPart {
  return { expression: columnOf(table, property), type, property };
}
