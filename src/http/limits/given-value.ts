import {
  type DirectiveNode,
  type GraphQLArgument,
  type GraphQLField,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  getNamedType,
  getNullableType,
  isInputObjectType,
  isListType,
  Kind,
  type ValueNode,
  type VariableDefinitionNode,
  valueFromASTUntyped,
} from 'graphql';
import type { ListSize } from '../../schema/policy.ts';
import { type Cost, type Evaluation, product } from './cost-expression.ts';

/** The default values of an operation's variables, by name. */
export type VariableDefaults = ReadonlyMap<string, unknown>;

type Given = { constant: unknown } | { read: (evaluation: Evaluation) => unknown };

export function defaultsOf(definitions: readonly VariableDefinitionNode[] = []): VariableDefaults {
  const given = definitions.filter(({ defaultValue }) => defaultValue !== undefined);
  return new Map(given.map(({ variable, defaultValue }) => [variable.name.value, valueFromASTUntyped(defaultValue!)]));
}

/** Whether @skip and @include let a selection in. */
export function conditionOf(directives: readonly DirectiveNode[] | undefined, defaults: VariableDefaults) {
  const conditions = (directives ?? []).flatMap((directive) => {
    const isSkip = directive.name.value === GraphQLSkipDirective.name;
    if (!isSkip && directive.name.value !== GraphQLIncludeDirective.name) return [];
    const value = directive.arguments?.find(({ name }) => name.value === 'if')?.value;
    return [{ given: given(value, [], defaults), wanted: !isSkip }];
  });
  const isConstant = conditions.every(({ given }) => 'constant' in given);
  const holds = (evaluation: Evaluation) =>
    conditions.every(({ given, wanted }) => (read(given, evaluation) === true) === wanted);
  return isConstant ? holds(noVariables) : holds;
}

/** What a field's slicing arguments say. */
export interface Slice {
  /** How long the list is that the field answers. */
  size: Cost;
  /** How many input objects the field takes. */
  inputItems: Cost;
}

/** The largest of the slicing arguments that are given, or `assumedSize`. */
export function sliceOf(
  field: GraphQLField<unknown, unknown>,
  values: ReadonlyMap<string, ValueNode>,
  { slicingArguments = [], assumedSize, maxSize = Number.MAX_SAFE_INTEGER }: ListSize,
  defaults: VariableDefaults,
): Slice {
  const slices = slicingArguments.map((coordinate) => {
    const [name = '', ...path] = coordinate.split('.');
    const argument = field.args.find((candidate) => candidate.name === name)!;
    return { given: argumentValue(argument, values.get(name), path, defaults), path, argument };
  });
  const sizes = slices.map((slice) => slice.given);
  const sizeIn = (evaluation: Evaluation) => {
    let size: number | undefined;
    for (const value of sizes) size = larger(size, lengthOf(read(value, evaluation), maxSize));
    return size ?? assumedSize ?? 0;
  };
  const size = sizes.every((value) => 'constant' in value) ? sizeIn(noVariables) : sizeIn;
  const takesObjects = slices.some(({ argument, path }) => isListOfObjects(argument, path));
  return { size, inputItems: takesObjects ? product(1, size) : 0 };
}

const noVariables: Evaluation = { variables: {}, fragments: [] };

function larger(size: number | undefined, other: number | undefined): number | undefined {
  return size === undefined || (other !== undefined && other > size) ? other : size;
}

/**
 * undefined: not given, or null. A value that is no list stands for a list of one. A list counts whole, even where the
 * field would refuse it: it is read before that.
 */
function lengthOf(value: unknown, maxSize: number): number | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) return value.length;
  if (typeof value !== 'number') return 1;
  return value > 0 ? Math.min(value, maxSize) : 0;
}

function isListOfObjects(argument: GraphQLArgument, path: readonly string[]): boolean {
  let type = argument.type;
  for (const name of path) {
    const object = getNamedType(type);
    if (!isInputObjectType(object)) return false;
    type = object.getFields()[name]!.type;
  }
  return isListType(getNullableType(type)) && isInputObjectType(getNamedType(type));
}

function argumentValue(
  argument: GraphQLArgument,
  value: ValueNode | undefined,
  path: readonly string[],
  defaults: VariableDefaults,
): Given {
  const byDefault = pick(argument.default?.value ?? argument.defaultValue, path);
  const stated = given(value, path, defaults);
  if ('constant' in stated) return stated.constant === undefined ? { constant: byDefault } : stated;
  // A variable that the client leaves out leaves the argument out.
  return { read: (evaluation) => stated.read(evaluation) ?? byDefault };
}

/** The value at a path of a literal that may be or hold variables; undefined where there is none. */
function given(value: ValueNode | undefined, path: readonly string[], defaults: VariableDefaults): Given {
  if (value === undefined) return { constant: undefined };
  if (value.kind === Kind.VARIABLE) {
    const name = value.name.value;
    const byDefault = defaults.get(name);
    return {
      read: ({ variables }) => pick(Object.hasOwn(variables, name) ? variables[name] : byDefault, path),
    };
  }
  const [first, ...rest] = path;
  if (value.kind === Kind.LIST) return { constant: value.values };
  if (first === undefined) return { constant: valueFromASTUntyped(value) };
  if (value.kind !== Kind.OBJECT) return { constant: undefined };
  return given(value.fields.find(({ name }) => name.value === first)?.value, rest, defaults);
}

function pick(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const name of path) {
    if (current === null || typeof current !== 'object' || !Object.hasOwn(current, name)) return undefined;
    current = (current as Record<string, unknown>)[name];
  }
  return current;
}

function read(value: Given, evaluation: Evaluation): unknown {
  return 'constant' in value ? value.constant : value.read(evaluation);
}
