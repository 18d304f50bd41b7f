import type { ObjectRef } from '@pothos/core';
import { type Context, requireViewer } from '../context.ts';
import { decodeCursor, encodeCursor } from '../db/cursor.ts';
import type { Database } from '../db/database.ts';
import { keyOf, type ListSource } from '../db/keyset.ts';
import { keyOfRow, type List, type Page, type PageRequest } from '../db/list.ts';
import { badUserInput } from '../errors.ts';
import { builder, defaultPageSize, type SchemaTypes } from './builder.ts';
import type { NestedLoader } from './loader.ts';

type ExtendedTypes = PothosSchemaTypes.ExtendDefaultTypes<SchemaTypes>;

/** What a connection field resolves to; statements run, and edges and cursors are made, only when they are selected. */
export interface Connection<Row> {
  source: ListSource;
  order: string;
  /** The page; loaded at the first call. */
  page: () => Promise<Page<Row>>;
  totalCount: () => Promise<number>;
}

interface Edge<Row> {
  row: Row;
  connection: Connection<Row>;
}

/** The paging arguments as they come from a client. */
export interface PageArguments {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

export interface ListOrder {
  order: string;
  direction: 'ASC' | 'DESC';
}

/**
 * The page a client asks for.
 * @throws BAD_USER_INPUT for sizes out of range, first and last together, or a cursor that is none of this list and order
 */
function toPageRequest(
  context: Context,
  source: ListSource,
  given: PageArguments,
  { order, direction }: ListOrder,
  filters: PageRequest['filters'],
): PageRequest {
  const { first, last } = given;
  if (first != null && last != null) throw badUserInput({ path: 'last', message: 'expected first or last, got both' });
  for (const [path, size] of Object.entries({ first, last })) {
    if (size != null) context.checkListSize(path, size);
  }
  return {
    filters,
    order,
    direction,
    limit: last ?? first ?? defaultPageSize,
    isBackward: last != null,
    after: readCursor(source, order, 'after', given.after),
    before: readCursor(source, order, 'before', given.before),
  };
}

function readCursor(
  source: ListSource,
  order: string,
  path: string,
  cursor: string | null | undefined,
): string[] | null {
  if (cursor == null) return null;
  const types = keyOf(source, order).map((part) => part.type);
  const key = decodeCursor(scopeOf(source, order), types, cursor);
  if (!key) throw badUserInput({ path, message: 'expected a cursor of this list and order' });
  return key;
}

function scopeOf(source: ListSource, order: string): string {
  return `${source.name}:${order}`;
}

/**
 * The connection and edge types of a node type, after the Relay cursor connections specification,
 * with `nodes` as a short form and `totalCount`.
 */
export function connectionType<Row extends object>(name: string, node: ObjectRef<ExtendedTypes, Row>, items: string) {
  const edge = builder.objectRef<Edge<Row>>(`${name}Edge`).implement({
    description: `One of ${items} with its place in the list.`,
    fields: (t) => ({
      cursor: t.string({
        description: 'The place of this edge, for after and before.',
        resolve: ({ row, connection }) => cursorOf(connection, row),
      }),
      node: t.field({ type: node, description: 'The object at this place.', resolve: ({ row }) => row as never }),
    }),
  });
  return builder.objectRef<Connection<Row>>(`${name}Connection`).implement({
    description: `A page of ${items}.`,
    fields: (t) => ({
      edges: t.field({
        type: [edge],
        description: 'The page with a cursor for each.',
        resolve: (connection) => connection.page().then(({ rows }) => rows.map((row) => ({ row, connection }))),
      }),
      nodes: t.field({
        type: [node],
        description: 'The page without cursors.',
        resolve: ({ page }) => page().then(({ rows }) => rows) as never,
      }),
      pageInfo: t.field({
        type: builder.pageInfoRef(),
        description: 'Whether and where to go on.',
        resolve: toPageInfo,
      }),
      totalCount: t.int({
        cost: 5,
        description: 'How many there are under the same filters; costs a statement only when asked for.',
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  });
}

async function toPageInfo<Row extends object>(connection: Connection<Row>) {
  const { rows, hasNextPage, hasPreviousPage } = await connection.page();
  const [first] = rows;
  const last = rows.at(-1);
  return {
    hasNextPage,
    hasPreviousPage,
    startCursor: first ? cursorOf(connection, first) : null,
    endCursor: last ? cursorOf(connection, last) : null,
  };
}

function cursorOf<Row extends object>({ source, order }: Connection<Row>, row: Row): string {
  return encodeCursor(scopeOf(source, order), keyOfRow(source, order, row));
}

/** A list of the viewer's organization, as its connection. */
export function resolveList<Row>(
  list: List<Row>,
  context: Context,
  given: PageArguments,
  { order, direction }: ListOrder,
  filters: PageRequest['filters'] = {},
): Connection<Row> {
  const { organizationId } = requireViewer(context);
  const request = toPageRequest(context, list.source, given, { order, direction }, filters);
  return connectionOf(list, context.database, organizationId, request);
}

/** A list of what an organization shows to everybody, as its connection. */
export function resolvePublicList<Row>(
  list: List<Row>,
  context: Context,
  organizationId: string,
  given: PageArguments,
  { order, direction }: ListOrder,
  filters: PageRequest['filters'] = {},
): Connection<Row> {
  const request = toPageRequest(context, list.source, given, { order, direction }, filters);
  return connectionOf(list, context.publicDatabase(organizationId), organizationId, request);
}

function connectionOf<Row>(
  list: List<Row>,
  database: Database,
  organizationId: string,
  request: PageRequest,
): Connection<Row> {
  return {
    source: list.source,
    order: request.order,
    page: once(() => list.page(database, organizationId, request)),
    totalCount: () => list.count(database, organizationId, request.filters),
  };
}

/** A list below a parent, as its connection; all parents that ask alike in one tick share one statement. */
export function resolveNestedList<Row>(
  loader: NestedLoader<Row>,
  context: Context,
  parentId: string,
  given: PageArguments,
  { order, direction }: ListOrder,
  filters: PageRequest['filters'] = {},
): Connection<Row> {
  const { source } = loader.list;
  const request = toPageRequest(context, source, given, { order, direction }, filters);
  return {
    source,
    order,
    page: () => loader.page(context, parentId, request),
    totalCount: () => loader.count(context, parentId, filters),
  };
}

function once<Result>(make: () => Result): () => Result {
  let made: { result: Result } | undefined;
  return () => {
    made ??= { result: make() };
    return made.result;
  };
}
