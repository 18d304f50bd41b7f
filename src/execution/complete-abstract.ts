import {
  defaultTypeResolver,
  type GraphQLAbstractType,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  isObjectType,
} from 'graphql';
import type { Run } from './compile-operation.ts';
import { type Complete, isPromise, type Texts, withTexts } from './complete-values.ts';
import { NotCompiled } from './not-compiled.ts';
import type { Selection } from './selection.ts';

/** Objects of an interface or a union: those of one type at a time, each type compiled when the first of it comes. */
export function completeAbstract(
  type: GraphQLAbstractType,
  infoOf: (run: Run) => GraphQLResolveInfo,
  compile: (concrete: GraphQLObjectType) => Selection,
): Complete {
  const selections = new Map<string, Selection>();
  const selectionOf = (name: unknown, run: Run): Selection => {
    const known = selections.get(name as string);
    if (known) return known;
    const concrete = typeof name === 'string' ? run.schema.getType(name) : undefined;
    if (!isObjectType(concrete) || !run.schema.isSubType(type, concrete)) {
      throw new NotCompiled(`${String(name)} is no ${type.name}`);
    }
    const made = compile(concrete);
    selections.set(concrete.name, made);
    return made;
  };
  const resolveType = type.resolveType ?? defaultTypeResolver;
  return (values, run) => {
    const names = values.map((value) => {
      if (value instanceof Error) throw value;
      return resolveType(value, run.context, infoOf(run), type);
    });
    const complete = (known: readonly unknown[]) => completeByType(values, known, run, selectionOf);
    return names.some(isPromise) ? Promise.all(names).then(complete) : complete(names);
  };
}

function completeByType(
  values: readonly unknown[],
  names: readonly unknown[],
  run: Run,
  selectionOf: (name: unknown, run: Run) => Selection,
): Texts {
  const groups = [...new Set(names)].map((name) => {
    const places = names.flatMap((each, place) => (each === name ? place : []));
    return { places, select: selectionOf(name, run) };
  });
  const texts = groups.map(({ places, select }) =>
    select(
      places.map((place) => values[place]),
      run,
    ),
  );
  const inPlaces = (known: readonly (readonly string[])[]) => {
    const result = new Array<string>(values.length);
    groups.forEach(({ places }, group) => {
      places.forEach((place, index) => {
        result[place] = known[group]![index]!;
      });
    });
    return result;
  };
  if (texts.length === 1) return withTexts(texts[0]!, (only) => inPlaces([only]));
  return Promise.all(texts).then(inPlaces);
}
