import {
  type DocumentNode,
  defaultFieldResolver,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLNullableOutputType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  TypeNameMetaFieldDef,
  visit,
} from 'graphql';
import { allOf } from '../all-of.ts';
import { resolveAllOf } from '../schema/resolve-all-plugin.ts';
import { type Column, ConstantColumn, ObjectColumn } from './columns.ts';
import { completeAbstract } from './complete-abstract.ts';
import {
  type Complete,
  type Completed,
  completeDistinct,
  completeLeaves,
  completeLists,
  completeNonNull,
  completeNullable,
  isPromise,
} from './complete-values.ts';
import { leafTextOf } from './leaf-text.ts';
import { NotCompiled } from './not-compiled.ts';
import { resolveInfoOf } from './resolve-info.ts';
import type { Run, VariableValues } from './run.ts';
import { type SelectionScope, selectedFields } from './selected-fields.ts';

/** These objects, with the fields that are selected of them. */
export type Selection = (parents: readonly unknown[], run: Run) => Completed;

interface Compiler extends SelectionScope {
  readonly operation: OperationDefinitionNode;
}

/**
 * What an operation selects of its root.
 * @throws NotCompiled when it holds something that has no plan
 */
export function compileSelection(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: VariableValues,
): Selection {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const root = schema.getQueryType();
  if (!root) throw new NotCompiled('no query type');
  return compileObject({ schema, fragments, variables, operation }, root, [operation]);
}

function compileObject(
  compiler: Compiler,
  type: GraphQLObjectType,
  parts: readonly (FieldNode | OperationDefinitionNode)[],
): Selection {
  if (type.isTypeOf) throw new NotCompiled(`${type.name} tells by itself whether an object is one`);
  const sets = parts.flatMap(({ selectionSet }) => selectionSet ?? []);
  // Lists of the right length: those that are pushed to get room for 17.
  const selected = [...selectedFields(compiler, type, sets)];
  const openings = selected.map(([key], index) => `${index === 0 ? '{' : ','}"${key}":`);
  const fields = selected.map(([, nodes]) => compileField(compiler, type, nodes));
  return (parents, run) => {
    if (parents.length === 0) return noObjects;
    const columns = beginAll(fields, parents, run);
    return columns instanceof Promise
      ? columns.then((known) => new ObjectColumn(openings, known))
      : new ObjectColumn(openings, columns);
  };
}

const noObjects = new ObjectColumn([], []);

/** All fields are begun before the first is awaited: loaders gather the keys of one tick. */
function beginAll(
  fields: readonly Selection[],
  parents: readonly unknown[],
  run: Run,
): readonly Column[] | Promise<readonly Column[]> {
  let isLater = false;
  const begun = fields.map((field) => {
    try {
      const completed = field(parents, run);
      isLater ||= completed instanceof Promise;
      return completed;
    } catch (error) {
      // The others have begun: their failures belong to somebody, too.
      isLater = true;
      return Promise.reject(error);
    }
  });
  return isLater ? settleLater(begun) : (begun as readonly Column[]);
}

/** Promise.all makes promises of columns that are there, too: 0.7 to 0.8 µs for seven columns and a promise, this 0.3. */
function settleLater(begun: Completed[]): Promise<readonly Column[]> {
  const places: number[] = [];
  const later: Promise<Column>[] = [];
  for (const [place, completed] of begun.entries()) {
    if (!(completed instanceof Promise)) continue;
    places.push(place);
    later.push(completed);
  }
  return allOf(later).then((columns) => {
    for (const [index, place] of places.entries()) begun[place] = columns[index]!;
    return begun as readonly Column[];
  });
}

function compileField(compiler: Compiler, parentType: GraphQLObjectType, nodes: readonly FieldNode[]): Selection {
  const [node] = nodes as [FieldNode];
  const name = node.name.value;
  if (name === TypeNameMetaFieldDef.name) {
    const column = new ConstantColumn(JSON.stringify(parentType.name));
    return () => column;
  }
  const field = parentType.getFields()[name];
  if (!field) throw new NotCompiled(`${parentType.name} has no field ${name}`);
  if (isAlikeEverywhere(field)) return leafSelectionOf(field);
  const resolveAll = resolveAllOf(field);
  const infoOf = resolveInfoOf({ scope: compiler, parentType, field, nodes });
  const complete = compileOutput(field.type, (type, isInList) => {
    const compile = (concrete: GraphQLObjectType) => compileObject(compiler, concrete, nodes);
    if (isAbstractType(type)) return completeAbstract(type, infoOf, compile);
    const objects = completeObjects(compile(type));
    // Several parents may have the same object.
    return resolveAll && !isInList ? completeDistinct(objects) : objects;
  });
  const argumentsOf = compileArguments(field, node);
  const values = resolveAll
    ? (parents: readonly unknown[], run: Run) => resolveAll(parents, argumentsOf(run), run.context)
    : compileResolver(field, argumentsOf, infoOf);
  return selectionOf(values, complete);
}

/** A leaf without arguments, whose resolver is told nothing of the document. */
function isAlikeEverywhere(field: GraphQLField<unknown, unknown>): boolean {
  const { args, type, resolve = defaultFieldResolver } = field;
  const isTold = resolve !== defaultFieldResolver && resolveAllOf(field) === null;
  return args.length === 0 && isLeafType(getNamedType(type)) && !isTold;
}

/** Most fields: compiled anew for each of the 1,000 documents of bench cached-mix they kept 53,000 closures with their scopes, 5.6 MB. */
const leafSelections = new WeakMap<GraphQLField<unknown, unknown>, Selection>();

function leafSelectionOf(field: GraphQLField<unknown, unknown>): Selection {
  const known = leafSelections.get(field);
  if (known) return known;
  const { name, type } = field;
  const resolveAll = resolveAllOf(field);
  const values = resolveAll
    ? (parents: readonly unknown[], run: Run) => resolveAll(parents, noArguments, run.context)
    : (parents: readonly unknown[]) => settled(readProperty(parents, name));
  const selection = selectionOf(
    values,
    compileOutput(type, () => {
      throw new NotCompiled(`${type} is no leaf`);
    }),
  );
  leafSelections.set(field, selection);
  return selection;
}

function selectionOf(values: (parents: readonly unknown[], run: Run) => Values, complete: Complete): Selection {
  return (parents, run) => {
    const resolved = values(parents, run);
    return isPromise(resolved)
      ? (resolved as Promise<readonly unknown[]>).then((known) => complete(known, run))
      : complete(resolved as readonly unknown[], run);
  };
}

type Values = readonly unknown[] | Promise<readonly unknown[]>;
type InfoOf = ReturnType<typeof resolveInfoOf>;

/** A field without a form for many parents: one call for each. */
function compileResolver(
  { name, resolve = defaultFieldResolver }: GraphQLField<unknown, unknown>,
  argumentsOf: (run: Run) => object,
  infoOf: InfoOf,
): (parents: readonly unknown[], run: Run) => Values {
  if (resolve === defaultFieldResolver) return (parents) => settled(readProperty(parents, name));
  return (parents, run) => {
    const given = argumentsOf(run);
    const info = infoOf(run);
    return settled(parents.map((parent) => resolve(parent, given, run.context, info)));
  };
}

function readProperty(parents: readonly unknown[], name: string): readonly unknown[] {
  return parents.map((parent) => {
    const value = (parent as Record<string, unknown>)[name];
    if (typeof value === 'function') throw new NotCompiled(`${name} is a method`);
    return value;
  });
}

function settled(values: readonly unknown[]): Values {
  return values.some(isPromise) ? allOf(values) : values;
}

/** Of most fields: an object for each would be kept with each document. */
const noArguments = Object.freeze({});
const withoutArguments = () => noArguments;

/** Arguments without variables are the same for all requests. */
function compileArguments(field: GraphQLField<unknown, unknown>, node: FieldNode): (run: Run) => object {
  if (field.args.length === 0) return withoutArguments;
  let hasVariables = false;
  for (const argument of node.arguments ?? []) {
    visit(argument, {
      Variable: () => {
        hasVariables = true;
      },
    });
  }
  if (hasVariables) return ({ variables }) => getArgumentValues(field, node, variables);
  const given = getArgumentValues(field, node);
  return () => given;
}

type OfObjects = (type: GraphQLObjectType | GraphQLAbstractType, isInList: boolean) => Complete;

function compileOutput(type: GraphQLOutputType, ofObjects: OfObjects, isInList = false): Complete {
  if (isNonNullType(type)) return completeNonNull(compilePresent(type.ofType, ofObjects, isInList));
  return completeNullable(compilePresent(type, ofObjects, isInList));
}

/** Of values that are not null. */
function compilePresent(type: GraphQLNullableOutputType, ofObjects: OfObjects, isInList: boolean): Complete {
  if (isLeafType(type)) return completeLeaves(leafTextOf(type));
  if (isListType(type)) return completeLists(compileOutput(type.ofType, ofObjects, true));
  return ofObjects(type, isInList);
}

function completeObjects(selection: Selection): Complete {
  return (values, run) => {
    for (const value of values) if (value instanceof Error) throw value;
    return selection(values, run);
  };
}
