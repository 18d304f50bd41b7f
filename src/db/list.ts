import { getTableColumns } from 'drizzle-orm';
import type { Database, Value } from './database.ts';
import { rowsAnswered, rowsBy, rowsWith } from './footprint.ts';
import {
  columnsThatFind,
  countQuery,
  hasOnePlan,
  isPlanStable,
  keyOf,
  type ListSource,
  nestedCountQuery,
  nestedPageQuery,
  type PageShape,
  pageQuery,
  requireParent,
} from './keyset.ts';
import { type CompiledStatement, type StatementOptions, statementByShape } from './statement.ts';

/** What a client asked of a list, checked: names are those of the source, cursors are decoded. */
export interface PageRequest {
  /** The arguments of the filters that are set, by filter name. */
  filters: Readonly<Record<string, Readonly<Record<string, Value>>>>;
  order: string;
  direction: 'ASC' | 'DESC';
  /** Rows wanted, without the one more that tells whether there is a next page. */
  limit: number;
  /** true: the last rows before `before` (or of all), still answered in the order asked for. */
  isBackward: boolean;
  after: readonly string[] | null;
  before: readonly string[] | null;
}

/** Rows in the order asked for. `hasPrevious` of a forward page and `hasNext` of a backward one say that a cursor was given. */
export interface Page<Row> {
  rows: Row[];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
}

/** The statements of one list. */
export interface List<Row> {
  readonly source: ListSource;
  page(database: Database, organizationId: string, request: PageRequest): Promise<Page<Row>>;
  count(database: Database, organizationId: string, filters: PageRequest['filters']): Promise<number>;
}

/** The statements of a list below a parent: one statement for any number of parents; results in the parents' order. */
export interface NestedList<Row> {
  readonly source: ListSource;
  pages(
    database: Database,
    organizationId: string,
    parents: readonly string[],
    request: PageRequest,
  ): Promise<Page<Row>[]>;
  counts(
    database: Database,
    organizationId: string,
    parents: readonly string[],
    filters: PageRequest['filters'],
  ): Promise<number[]>;
}

export function createList<Row>(source: ListSource): List<Row> {
  const pageStatement = statementByShape<PageShape, Row>(
    `list_${source.name}`,
    (shape) => pageQuery(source, shape),
    (shape) => ({
      isPrepared: isPlanStable(source, shape),
      boundedBy: hasOnePlan(source, shape) ? ['limit'] : undefined,
      ...footprintOfList(source, shape.filters, shape.order),
    }),
    keyOfShape,
  );
  const countStatement = statementByShape<readonly string[], { count: number }>(
    `count_${source.name}`,
    (filters) => countQuery(source, filters),
    (filters) => footprintOfList(source, filters, null),
  );
  return {
    source,
    page: (database, organizationId, request) =>
      pageStatement(shapeOf(request))
        .run(database, pageValues(organizationId, request))
        .then((rows) => toPage(rows, 0, rows.length, request)),
    count: async (database, organizationId, filters) => {
      const statement = countStatement(Object.keys(filters).sort());
      const [row] = await statement.run(database, { organizationId, ...filterValues(filters) });
      return row?.count ?? 0;
    },
  };
}

export function createNestedList<Row>(source: ListSource): NestedList<Row> {
  type ParentRow = Row & { parentId: string };
  const footprint = { readsBy: [rowsBy(requireParent(source), 'parents')] };
  const pageStatement: (shape: PageShape) => CompiledStatement<ParentRow> = statementByShape(
    `list_${source.name}`,
    (shape: PageShape) => nestedPageQuery(source, shape),
    (shape) => ({ boundedBy: shape.filters.length <= 1 ? ['parents', 'limit'] : undefined, ...footprint }),
    keyOfShape,
  );
  const countStatement = statementByShape<readonly string[], { parentId: string; count: number }>(
    `count_${source.name}`,
    (filters) => nestedCountQuery(source, filters),
    footprint,
  );
  return {
    source,
    pages: (database, organizationId, parents, request) =>
      pageStatement(shapeOf(request))
        .run(database, pageValues(organizationId, request, parents))
        .then((rows) => toPages<ParentRow>(rows, parents, request)),
    counts: async (database, organizationId, parents, filters) => {
      const statement = countStatement(Object.keys(filters).sort());
      const rows = await statement.run(database, { organizationId, parents, ...filterValues(filters) });
      const countByParent = new Map(rows.map((row) => [row.parentId, row.count]));
      return parents.map((parent) => countByParent.get(parent) ?? 0);
    },
  };
}

/**
 * What a page, or a count without an order, is made of: what is public of a table, or the rows that are found and the columns
 * by which they are, so that a change of another row in another column leaves it as it is.
 */
function footprintOfList(source: ListSource, filters: readonly string[], order: string | null): StatementOptions {
  const { table, isPublic } = source;
  if (isPublic) return { isPublic: true, readsBy: [rowsWith(isPublic, true)] };
  const by = columnsThatFind(source, filters, order);
  const id = getTableColumns(table).id!;
  return { finds: { table, by, rows: order === null ? null : rowsAnswered(id, 'id') } };
}

/** The values of a row's place in an order, for its cursor. */
export function keyOfRow(source: ListSource, order: string, row: object): string[] {
  return keyOf(source, order).map((part) => String((row as Record<string, unknown>)[part.property] ?? part.whenNull));
}

function shapeOf(request: PageRequest): PageShape {
  return {
    filters: Object.keys(request.filters).sort(),
    order: request.order,
    isAscending: (request.direction === 'ASC') !== request.isBackward,
    hasAfter: lower(request) !== null,
    hasBefore: upper(request) !== null,
  };
}

/** Its JSON would take 0.6 µs. */
function keyOfShape({ filters, order, isAscending, hasAfter, hasBefore }: PageShape): string {
  return `${order} ${isAscending} ${hasAfter} ${hasBefore} ${filters.join(' ')}`;
}

/** Where the scan starts: a backward page scans from `before`. */
const lower = (request: PageRequest) => (request.isBackward ? request.before : request.after);
/** Where the scan ends. */
const upper = (request: PageRequest) => (request.isBackward ? request.after : request.before);

function pageValues(
  organizationId: string,
  request: PageRequest,
  parents: readonly string[] | null = null,
): Record<string, Value> {
  const values: Record<string, Value> = { organizationId, limit: request.limit + 1, parents };
  for (const filter of Object.values(request.filters)) Object.assign(values, filter);
  lower(request)?.forEach((value, index) => {
    values[`after${index}`] = value;
  });
  upper(request)?.forEach((value, index) => {
    values[`before${index}`] = value;
  });
  return values;
}

function filterValues(filters: PageRequest['filters']): Record<string, Value> {
  return Object.assign({}, ...Object.values(filters));
}

/** A page for each parent, in their order. The rows of a parent follow each other (nestedPageQuery). */
function toPages<Row extends { parentId: string }>(
  scanned: readonly Row[],
  parents: readonly string[],
  request: PageRequest,
): Page<Row>[] {
  const pages = new Map<string, Page<Row>>();
  for (let start = 0, end = 0; start < scanned.length; start = end) {
    const { parentId } = scanned[start]!;
    while (end < scanned.length && scanned[end]!.parentId === parentId) end += 1;
    pages.set(parentId, toPage(scanned, start, end, request));
  }
  return parents.map((parent) => pages.get(parent) ?? toPage([], 0, 0, request));
}

/** The page of the rows from `start` to `end`. */
function toPage<Row>(scanned: readonly Row[], start: number, end: number, request: PageRequest): Page<Row> {
  const hasMore = end - start > request.limit;
  const rows = scanned.slice(start, hasMore ? start + request.limit : end);
  if (request.isBackward) rows.reverse();
  return {
    rows,
    hasNextPage: request.isBackward ? request.before !== null : hasMore,
    hasPreviousPage: request.isBackward ? hasMore : request.after !== null,
  };
}
