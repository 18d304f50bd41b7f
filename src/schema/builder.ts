import SchemaBuilder from '@pothos/core';
import RelayPlugin from '@pothos/plugin-relay';
import { GraphQLError, Kind } from 'graphql';
import type { Context } from '../context.ts';
import { isUuid } from '../db/id.ts';
import { formatDateTime, parseDateTime } from '../db/time.ts';
import { badUserInput } from '../errors.ts';
import { encodeGlobalId, parseGlobalId, parseUuid } from './global-id.ts';
import './policy-plugin.ts';
import './resolve-all-plugin.ts';
import type { ListSize } from './policy.ts';

export interface SchemaTypes {
  Context: Context;
  DefaultFieldNullability: false;
  DefaultInputFieldRequiredness: false;
  Scalars: {
    ID: { Input: string; Output: string };
    /** Out: Postgres' text or ISO-8601; in: ISO-8601 UTC with microseconds. */
    DateTime: { Input: string; Output: string | Date };
    /** bigint: of a literal or a tensor; as JSON beyond 2^53 it is text. */
    TensorValue: { Input: number | bigint | boolean | string; Output: number | bigint | boolean | string };
  };
}

export const defaultPageSize = 20;
/** What no page holds more of, whatever the server is set to (100 by default): it is built in memory. */
export const maxPageSize = 1000;

/** The list size of every field that is paged by first and last: how large its page may be. */
const pageSize: ListSize = {
  slicingArguments: ['first', 'last'],
  sizedFields: ['edges', 'nodes'],
  assumedSize: defaultPageSize,
  maxSize: maxPageSize,
};

/** The one schema builder; it knows no domain. */
export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [RelayPlugin, 'policy', 'resolveAll'],
  defaultFieldNullability: false,
  policy: {
    listSizeByArguments: (names) => (names.includes('first') && names.includes('last') ? pageSize : undefined),
  },
  relay: {
    cursorType: 'String',
    encodeGlobalID: (typename, id) => encodeGlobalId(typename, String(id)),
    decodeGlobalID: decodeNodeId,
    nodeTypeOptions: { description: 'An object with a global id.' },
    idFieldOptions: { description: 'The global id, opaque.' },
    nodeQueryOptions: {
      scope: 'read',
      description: 'Any object by its global id; null when there is none in the viewer’s organization.',
      args: { id: { description: 'A global id.' } },
      resolve: (_root, { id }, _context, _info, resolveNode) => {
        requireNodeId(id, 'id');
        return resolveNode(id);
      },
    },
    nodesQueryOptions: {
      scope: 'read',
      listSize: { slicingArguments: ['ids'], maxSize: maxPageSize },
      description:
        'Objects by their global ids, in the order of the ids, null where there is none; 0 to 100, like a page.',
      args: { ids: { description: 'Global ids.' } },
      resolve: (_root, { ids }, context, _info, resolveNodes) => {
        context.checkListSize('ids', ids.length);
        ids.forEach((id, index) => {
          requireNodeId(id, `ids.${index}`);
        });
        return resolveNodes(ids);
      },
    },
    firstArgOptions: {
      description:
        'The first so many after `after`, 0 to 100 unless the server is set otherwise; 20 when neither first nor last is given.',
    },
    afterArgOptions: { description: 'A cursor of this list: what comes after it.' },
    lastArgOptions: { description: 'The last so many before `before`, 0 to 100 unless the server is set otherwise.' },
    beforeArgOptions: { description: 'A cursor of this list: what comes before it.' },
    pageInfoTypeOptions: { description: 'Where a page lies in its connection.' },
    hasNextPageFieldOptions: { description: 'Whether more follow the last edge.' },
    hasPreviousPageFieldOptions: { description: 'Whether some precede the first edge.' },
    startCursorFieldOptions: { description: 'The cursor of the first edge; null for an empty page.' },
    endCursorFieldOptions: { description: 'The cursor of the last edge; null for an empty page.' },
  },
});

const unknownNode = { typename: '', id: '' };

builder.queryType({
  description:
    'Reads. All of them see the viewer’s organization only, but for what any organization shows to everybody.',
});
builder.mutationType({ description: 'Writes. Each is all or nothing, and answers after its commit.' });

builder.scalarType('DateTime', {
  description:
    'A moment as ISO-8601 in UTC, such as 2026-11-21T08:30:00Z; input may carry an offset, up to microseconds.',
  serialize: formatDateTime,
  parseValue: (value) => parseTime(value),
  parseLiteral: (node) => parseTime(node.kind === Kind.STRING ? node.value : undefined),
});

function parseTime(value: unknown): string {
  const parsed = typeof value === 'string' ? parseDateTime(value) : null;
  if (parsed === null) {
    throw new GraphQLError('expected an ISO-8601 time with zone, such as 2026-11-21T08:30:00Z', {
      extensions: { code: 'BAD_USER_INPUT' },
    });
  }
  return parsed;
}

/** The type and key of a node's global id; unknownNode for a text that is none, so that its argument can be named. */
function decodeNodeId(id: string): { typename: string; id: string } {
  const parsed = parseGlobalId(id);
  return parsed && isKeyOf(parsed.typename, parsed.key) ? { typename: parsed.typename, id: parsed.key } : unknownNode;
}

/** @throws BAD_USER_INPUT naming `path` */
function requireNodeId({ typename }: { typename: string }, path: string): void {
  if (typename === unknownNode.typename) throw badUserInput({ path, message: 'expected a global id' });
}

function isKeyOf(typename: string, key: string): boolean {
  if (!isNodeType(typename)) return false;
  const { pothosOptions } = builder.configStore.getTypeConfig(typename as never);
  const { parse } = (pothosOptions as { id?: { parse?: (key: string) => unknown } }).id ?? {};
  // Without an error for each key that is none: each costs 7 µs, and a list may have thousands.
  if (parse === parseUuid) return isUuid(key);
  try {
    parse?.(key);
    return true;
  } catch {
    return false;
  }
}

function isNodeType(typename: string): boolean {
  if (!builder.configStore.hasConfig(typename as never)) return false;
  const { pothosOptions } = builder.configStore.getTypeConfig(typename as never);
  return 'loadWithoutCache' in pothosOptions;
}
