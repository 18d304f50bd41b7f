/**
 * Fields whose value a loader finds by a key of the parent: as options of a field, for one parent and for many. With many,
 * the loader is asked once for each distinct key, not for each parent.
 */
import type DataLoader from 'dataloader';
import { allOf } from '../all-of.ts';
import type { Context } from '../context.ts';
import { deletedMeanwhile } from '../errors.ts';

type LoaderOf<Value> = (context: Context) => DataLoader<string, Value>;

/** The options `resolve` and `resolveAll` of a field. */
interface Resolvers<Parent, Value> {
  resolve(parent: Parent, args: unknown, context: Context): Promise<Value> | Value;
  resolveAll(parents: readonly Parent[], args: unknown, context: Context): Promise<readonly Value[]>;
}

/** What a loader answers for the parent's key. */
export function loaded<Parent, Value>(
  loaderOf: LoaderOf<Value>,
  keyOf: (parent: Parent) => string,
): Resolvers<Parent, Value> {
  return {
    resolve: (parent, _args, context) => loaderOf(context).load(keyOf(parent)),
    resolveAll: (parents, _args, context) =>
      loadAll(loaderOf(context), parents.map(keyOf)) as Promise<readonly Value[]>,
  };
}

/** The row that a foreign key of the parent points to; null where the key is. */
export function optionalReference<Parent, Row>(
  loaderOf: LoaderOf<Row | null>,
  keyOf: (parent: Parent) => string | null,
): Resolvers<Parent, Row | null> {
  return {
    resolve: (parent, _args, context) => {
      const key = keyOf(parent);
      return key === null ? null : loaderOf(context).load(key);
    },
    resolveAll: (parents, _args, context) => loadAll(loaderOf(context), parents.map(keyOf)),
  };
}

/**
 * The row that a foreign key of the parent points to. The database lets none be missing, so the type has no null; but a row
 * that was there when its page was read can be deleted before this is.
 *
 * @throws NOT_FOUND when the row was deleted between two statements of one request
 */
export function reference<Parent, Row>(
  loaderOf: LoaderOf<Row | null>,
  keyOf: (parent: Parent) => string,
): Resolvers<Parent, Row> {
  return {
    resolve: (parent, _args, context) => loadReferenced(loaderOf(context), keyOf(parent)),
    resolveAll: async (parents, _args, context) => {
      const rows = await loadAll(loaderOf(context), parents.map(keyOf));
      if (rows.includes(null)) throw deletedMeanwhile();
      return rows as Row[];
    },
  };
}

async function loadReferenced<Row>(loader: DataLoader<string, Row | null>, key: string): Promise<Row> {
  const row = await loader.load(key);
  if (row === null) throw deletedMeanwhile();
  return row;
}

/**
 * The values of keys, in their order; null for a null. A key costs the loader a promise and an entry in two maps, so it is
 * asked for each only once.
 */
export async function loadAll<Value>(
  loader: DataLoader<string, Value>,
  keys: readonly (string | null)[],
): Promise<(Value | null)[]> {
  const [first] = keys;
  if (keys.length === 1 && first != null) return [await loader.load(first)];
  const places = new Map<string, number>();
  const asked: Promise<Value>[] = [];
  for (const key of keys) {
    if (key === null || places.has(key)) continue;
    places.set(key, asked.length);
    asked.push(loader.load(key));
  }
  const values = await allOf(asked);
  return keys.map((key) => (key === null ? null : values[places.get(key)!]!));
}
