import {
  defaultTypeResolver,
  type GraphQLAbstractType,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  isObjectType,
} from 'graphql';
import { type Column, MixedColumn } from './columns.ts';
import { type Complete, type Completed, isPromise } from './complete-values.ts';
import { NotCompiled } from './not-compiled.ts';
import type { Run } from './run.ts';
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
): Completed {
  const groups = new Map<unknown, unknown[]>();
  const places = values.map((value, row) => {
    const name = names[row];
    const group = groups.get(name);
    if (group) return group.push(value) - 1;
    groups.set(name, [value]);
    return 0;
  });
  const selected = [...groups].map(([name, group]) => selectionOf(name, run)(group, run));
  const types = [...groups.keys()];
  const mixed = (columns: readonly Column[]) =>
    new MixedColumn(
      names.map((name) => columns[types.indexOf(name)]!),
      places,
    );
  return selected.some(isPromise) ? Promise.all(selected).then(mixed) : mixed(selected as Column[]);
}
