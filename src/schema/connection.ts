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

/** The pages of one list below any number of parents, in their order. */
interface Pages<Row> {
  readonly source: ListSource;
  readonly order: string;
  pages(parentIds: readonly string[]): Promise<readonly Page<Row>[]>;
  counts(parentIds: readonly string[]): Promise<readonly number[]>;
}

/** What a connection field resolves to; statements run, and edges and cursors are made, only when they are selected. */
export interface Connection<Row> {
  readonly list: Pages<Row>;
  readonly parentId: string;
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
        ...ofPage<Row, Edge<Row>[]>(({ rows }, connection) => rows.map((row) => ({ row, connection }))),
      }),
      nodes: t.field({
        type: [node],
        description: 'The page without cursors.',
        ...(ofPage<Row, Row[]>(({ rows }) => rows) as object as { resolve: () => never }),
      }),
      pageInfo: t.field({
        type: builder.pageInfoRef(),
        description: 'Whether and where to go on.',
        ...ofPage<Row, PagePlace<Row>>((page, connection) => new PagePlace(page, connection)),
      }),
      totalCount: t.int({
        cost: 5,
        description: 'How many there are under the same filters; costs a statement only when asked for.',
        resolve: ({ list, parentId }) => list.counts([parentId]).then(([count]) => count!),
        resolveAll: (connections) => inOneCall(connections, (list, parentIds) => list.counts(parentIds)),
      }),
    }),
  });
}

/** A field of the page of a connection, for one and for many. */
function ofPage<Row, Value>(read: (page: Page<Row>, connection: Connection<Row>) => Value) {
  return {
    resolve: (connection: Connection<Row>) =>
      connection.list.pages([connection.parentId]).then(([page]) => read(page!, connection)),
    resolveAll: async (connections: readonly Connection<Row>[]) => {
      const pages = await inOneCall(connections, (list, parentIds) => list.pages(parentIds));
      return pages.map((page, index) => read(page, connections[index]!));
    },
  };
}

/** Connections that one field made for many parents have one list. */
async function inOneCall<Row, Value>(
  connections: readonly Connection<Row>[],
  load: (list: Pages<Row>, parentIds: readonly string[]) => Promise<readonly Value[]>,
): Promise<readonly Value[]> {
  const { list } = connections[0]!;
  if (connections.every((connection) => connection.list === list)) {
    return load(
      list,
      connections.map(({ parentId }) => parentId),
    );
  }
  return (await Promise.all(connections.map((connection) => load(connection.list, [connection.parentId])))).flat();
}

/** PageInfo; its cursors are made when they are asked for. */
class PagePlace<Row> {
  readonly #page: Page<Row>;
  readonly #connection: Connection<Row>;

  constructor(page: Page<Row>, connection: Connection<Row>) {
    this.#page = page;
    this.#connection = connection;
  }

  get hasNextPage(): boolean {
    return this.#page.hasNextPage;
  }

  get hasPreviousPage(): boolean {
    return this.#page.hasPreviousPage;
  }

  get startCursor(): string | null {
    return this.#cursorOf(this.#page.rows[0]);
  }

  get endCursor(): string | null {
    return this.#cursorOf(this.#page.rows.at(-1));
  }

  #cursorOf(row: Row | undefined): string | null {
    return row === undefined ? null : cursorOf(this.#connection, row as Row & object);
  }
}

function cursorOf<Row>({ list: { source, order } }: Connection<Row>, row: Row & object): string {
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
  const pages = once(async () => [await list.page(database, organizationId, request)]);
  const { source } = list;
  return {
    list: {
      source,
      order: request.order,
      pages,
      counts: async () => [await list.count(database, organizationId, request.filters)],
    },
    parentId: '',
  };
}

/** What a nested list's arguments ask for. */
interface NestedRequest {
  paging: PageArguments;
  order: ListOrder;
  filters?: PageRequest['filters'];
}

/**
 * The options `resolve` and `resolveAll` of a field that is a list below its parent, as its connection; all parents that
 * ask alike in one tick share one statement.
 */
export function nestedList<Parent, Row, Args extends object>(
  loader: NestedLoader<Row>,
  parentIdOf: (parent: Parent) => string,
  requestOf: (args: Args) => NestedRequest,
) {
  const pagesFor = (args: Args, context: Context): Pages<Row> => {
    const { paging, order, filters = {} } = requestOf(args);
    const { source } = loader.list;
    const request = toPageRequest(context, source, paging, order, filters);
    return {
      source,
      order: request.order,
      pages: (parentIds) => loader.pages(context, parentIds, request),
      counts: (parentIds) => loader.counts(context, parentIds, filters),
    };
  };
  return {
    resolve: (parent: Parent, args: Args, context: Context): Connection<Row> => {
      return { list: pagesFor(args, context), parentId: parentIdOf(parent) };
    },
    resolveAll: (parents: readonly Parent[], args: Args, context: Context): Connection<Row>[] => {
      const list = pagesFor(args, context);
      return parents.map((parent) => ({ list, parentId: parentIdOf(parent) }));
    },
  };
}

function once<Result>(make: () => Result): () => Result {
  let made: { result: Result } | undefined;
  return () => {
    made ??= { result: make() };
    return made.result;
  };
}
