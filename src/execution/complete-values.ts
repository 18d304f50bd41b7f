/**
 * What a field's values become, all of them at once: a list of 20 features with 5 tests each is two calls, not 120, and a
 * promise belongs to a field, not to a value.
 */
import { allOf } from '../all-of.ts';
import { type Column, LeafColumn, ListColumn, PlacedColumn } from './columns.ts';
import type { LeafText } from './leaf-text.ts';
import { NotCompiled } from './not-compiled.ts';
import type { Run } from './run.ts';

/** A row for each value, in their order. */
export type Completed = Column | Promise<Column>;
export type Complete = (values: readonly unknown[], run: Run) => Completed;

export function isPromise<Value>(value: Value): value is Value & Promise<never> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** Once a column is known, now or later. */
function withColumn(completed: Completed, use: (column: Column) => Column): Completed {
  return completed instanceof Promise ? completed.then(use) : use(completed);
}

export function completeLeaves(textOf: LeafText): Complete {
  return (values) => new LeafColumn(values.map((value) => textOf(value)));
}

/** @throws NotCompiled when one is missing: graphql decides which part of the answer becomes null */
export function completeNonNull(complete: Complete): Complete {
  return (values, run) => {
    for (const value of values) if (value == null) throw new NotCompiled('null where none may be');
    return complete(values, run);
  };
}

export function completeNullable(complete: Complete): Complete {
  return (values, run) => {
    if (!values.some((value) => value == null)) return complete(values, run);
    const present: unknown[] = [];
    const places = values.map((value) => (value == null ? -1 : present.push(value) - 1));
    return withColumn(complete(present, run), (column) => new PlacedColumn(places, column));
  };
}

export function completeLists(completeItems: Complete): Complete {
  return (values, run) => {
    const items: unknown[] = [];
    const ends = values.map((list) => {
      for (const item of toArray(list)) items.push(item);
      return items.length;
    });
    const complete = (known: readonly unknown[]) => completeItems(known, run);
    const completed = items.some(isPromise) ? allOf(items).then(complete) : complete(items);
    return withColumn(completed, (column) => new ListColumn(ends, column));
  };
}

/** A tensor's values are a list, too. */
function toArray(list: unknown): readonly unknown[] {
  if (Array.isArray(list)) return list;
  if (ArrayBuffer.isView(list) && Symbol.iterator in list) return Array.from(list as Iterable<unknown> & object);
  throw new NotCompiled('a list that is no array');
}

/** The same object is completed once: 200 messages of 20 people have 20 authors. */
export function completeDistinct(complete: Complete): Complete {
  return (values, run) => {
    if (values.length < 2) return complete(values, run);
    const known = new Map<unknown, number>();
    const places = values.map((value) => {
      let place = known.get(value);
      if (place === undefined) {
        place = known.size;
        known.set(value, place);
      }
      return place;
    });
    if (known.size === values.length) return complete(values, run);
    return withColumn(complete([...known.keys()], run), (column) => new PlacedColumn(places, column));
  };
}
