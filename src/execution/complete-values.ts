/**
 * What a field's values become: the JSON texts of all of them at once. A list of 20 features with 5 tests each is two calls,
 * not 120, and a promise belongs to a field, not to a value.
 */
import type { Run } from './compile-operation.ts';
import type { LeafText } from './leaf-text.ts';
import { NotCompiled } from './not-compiled.ts';

/** One text for each value, in their order. */
export type Texts = readonly string[] | Promise<readonly string[]>;
export type Complete = (values: readonly unknown[], run: Run) => Texts;

export function isPromise<Value>(value: Value): value is Value & Promise<never> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** Once texts are known, now or later. */
export function withTexts<Result>(texts: Texts, use: (texts: readonly string[]) => Result): Result | Promise<Result> {
  return isPromise(texts) ? texts.then(use) : use(texts as readonly string[]);
}

export function completeLeaves(textOf: LeafText): Complete {
  return (values) => values.map((value) => textOf(value));
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
    const present = values.filter((value) => value != null);
    if (present.length === values.length) return complete(values, run);
    if (present.length === 0) return values.map(() => 'null');
    return withTexts(complete(present, run), (texts) => {
      let next = 0;
      return values.map((value) => (value == null ? 'null' : texts[next++]!));
    });
  };
}

export function completeLists(completeItems: Complete): Complete {
  return (values, run) => {
    const lists = values.map(toArray);
    const items: unknown[] = [];
    for (const list of lists) for (const item of list) items.push(item);
    const complete = (known: readonly unknown[]) => completeItems(known, run);
    const texts = items.some(isPromise) ? Promise.all(items).then(complete) : complete(items);
    return withTexts(texts, (known) => joinLists(lists, known));
  };
}

/** A tensor's values are a list, too. */
function toArray(list: unknown): readonly unknown[] {
  if (Array.isArray(list)) return list;
  if (ArrayBuffer.isView(list) && Symbol.iterator in list) return Array.from(list as Iterable<unknown> & object);
  throw new NotCompiled('a list that is no array');
}

function joinLists(lists: readonly (readonly unknown[])[], texts: readonly string[]): string[] {
  let next = 0;
  return lists.map(({ length }) => {
    if (length === 0) return '[]';
    let text = `[${texts[next++]}`;
    for (let index = 1; index < length; index++) text += `,${texts[next++]}`;
    return `${text}]`;
  });
}

/** The same object is completed once: 200 messages of 20 people have 20 authors. */
export function completeDistinct(complete: Complete): Complete {
  return (values, run) => {
    if (values.length < 2) return complete(values, run);
    const places = new Map<unknown, number>();
    const distinct: unknown[] = [];
    const placeOf = values.map((value) => {
      let place = places.get(value);
      if (place === undefined) {
        place = distinct.length;
        places.set(value, place);
        distinct.push(value);
      }
      return place;
    });
    if (distinct.length === values.length) return complete(values, run);
    return withTexts(complete(distinct, run), (texts) => placeOf.map((place) => texts[place]!));
  };
}
