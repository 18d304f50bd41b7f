import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';

/** One place of the schema that takes a leaf value from a client. */
export interface Slot {
  /** Such as `Query.feature(id:)` or `FeatureFilter.ownerId`. */
  coordinate: string;
  /** The argument's or input field's name. */
  name: string;
  /** The named type of its values. */
  type: string;
  declared: GraphQLInputType;
  /** Where an error about it should point: dotted from the field's arguments. */
  path: string;
  /** The input type it is a field of; null for an argument. */
  inputType: string | null;
  /** The type that the field answers whose argument it is, or lies in. */
  answers: string;
}

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** What goes into the slots of an operation. */
export interface Fill {
  /** Whether an argument or input field that may be left out is given. */
  includes(coordinate: string): boolean;
  value(slot: Slot): Json;
}

/** A root field with all that can be selected below it. */
export interface Operation {
  kind: 'query' | 'mutation';
  field: GraphQLField<unknown, unknown>;
  /** The type selected where the field answers an abstract one. */
  typename: string;
  label: string;
}

/** Objects below the root field that are entered; connections and edges do not count. */
const depth = 4;

/** All operations of a schema: each root field, once for each type it can answer. */
export function listOperations(schema: GraphQLSchema): Operation[] {
  const roots = [
    { kind: 'query' as const, root: schema.getQueryType() },
    { kind: 'mutation' as const, root: schema.getMutationType() },
  ];
  return roots.flatMap(({ kind, root }) =>
    Object.values(root?.getFields() ?? {}).flatMap((field) => {
      const type = getNamedType(field.type);
      const types = isAbstractType(type) ? schema.getPossibleTypes(type) : [type];
      return types.map(({ name }) => ({
        kind,
        field,
        typename: name,
        label: isAbstractType(type) ? `${field.name}(${name})` : field.name,
      }));
    }),
  );
}

/** The operation as a document, its values as literals. */
export function printOperation(schema: GraphQLSchema, operation: Operation, fill: Fill): string {
  const args = printArguments(operation.kind === 'query' ? 'Query' : 'Mutation', operation, fill);
  const type = schema.getType(operation.typename)!;
  return `${operation.kind} { ${operation.field.name}${args}${selectionOf(operation, type, depth, fill)} }`;
}

/** The operation as a document whose root field takes variables, and their values. */
export function printWithVariables(schema: GraphQLSchema, operation: Operation, fill: Fill) {
  const parent = operation.kind === 'query' ? 'Query' : 'Mutation';
  const given = argumentsOf(parent, operation.field, operation, fill);
  const header = given.map(({ argument }) => `$${argument.name}: ${String(argument.type)}`).join(', ');
  const args = given.map(({ argument }) => `${argument.name}: $${argument.name}`).join(', ');
  const type = schema.getType(operation.typename)!;
  const field = `${operation.field.name}${args && `(${args})`}${selectionOf(operation, type, depth, fill)}`;
  return {
    document: `${operation.kind} ${header && `(${header})`} { ${field} }`,
    variables: Object.fromEntries(given.map(({ argument, value }) => [argument.name, value])),
  };
}

/** The slots an operation has by coordinate: all, or only those that cannot be left out. */
export function listSlots(schema: GraphQLSchema, operation: Operation, which: 'all' | 'required'): Map<string, Slot> {
  const slots = new Map<string, Slot>();
  const value = (slot: Slot) => {
    slots.set(slot.coordinate, slot);
    return null;
  };
  printOperation(schema, operation, { includes: () => which === 'all', value });
  return slots;
}

function selectionOf(operation: Operation, type: GraphQLNamedType, left: number, fill: Fill): string {
  if (!isObjectType(type)) return '';
  const isAbstract = isAbstractType(getNamedType(operation.field.type)) && left === depth;
  const fields = Object.values(type.getFields()).flatMap((field) => printField(operation, type, field, left, fill));
  const selection = `__typename ${fields.join(' ')}`;
  return isAbstract ? ` { __typename ... on ${type.name} { ${selection} } }` : ` { ${selection} }`;
}

function printField(
  operation: Operation,
  parent: GraphQLObjectType,
  field: GraphQLField<unknown, unknown>,
  left: number,
  fill: Fill,
): string[] {
  const inner = getNamedType(field.type);
  // Only of fields that are printed: what is filled in elsewhere would be tried nowhere.
  const args = () => printArguments(parent.name, { ...operation, field }, fill);
  if (isLeafType(inner)) return [`${field.name}${args()}`];
  const isPlumbing = /(Connection|Edge|PageInfo)$/.test(inner.name);
  const next = isPlumbing ? left : left - 1;
  // Edges hold the same objects.
  if (parent.name.endsWith('Connection') && field.name === 'nodes') return ['nodes { __typename }'];
  return next > 0 ? [`${field.name}${args()}${selectionOf(operation, inner, next, fill)}`] : [];
}

function printArguments(parent: string, operation: Operation, fill: Fill): string {
  const given = argumentsOf(parent, operation.field, operation, fill);
  const printed = given.map(({ argument, value }) => `${argument.name}: ${printLiteral(value, argument.type)}`);
  return printed.length > 0 ? `(${printed.join(', ')})` : '';
}

function argumentsOf(parent: string, field: GraphQLField<unknown, unknown>, operation: Operation, fill: Fill) {
  return field.args.flatMap((argument: GraphQLArgument) => {
    const coordinate = `${parent}.${field.name}(${argument.name}:)`;
    if (!isGiven(argument, coordinate, fill)) return [];
    const type = getNamedType(field.type);
    const answers = isAbstractType(type) ? operation.typename : type.name;
    const base = { coordinate, name: argument.name, inputType: null, answers, path: argument.name };
    return [{ argument, value: inputValue(argument.type, base, fill) }];
  });
}

type SlotBase = Omit<Slot, 'type' | 'declared'>;

function inputValue(type: GraphQLInputType, base: SlotBase, fill: Fill): Json {
  const inner = getNullableType(type);
  if (isListType(inner)) {
    const value = inputValue(inner.ofType, { ...base, path: `${base.path}.0` }, fill);
    return Array.isArray(value) ? value : [value];
  }
  if (!isInputObjectType(inner)) return fill.value({ ...base, type: getNamedType(type).name, declared: type });
  const fields = Object.values(inner.getFields()).filter((field) =>
    isGiven(field, `${inner.name}.${field.name}`, fill),
  );
  const entries = fields.map((field): [string, Json] => {
    const coordinate = `${inner.name}.${field.name}`;
    const path = `${base.path}.${field.name}`;
    return [
      field.name,
      inputValue(field.type, { ...base, coordinate, name: field.name, inputType: inner.name, path }, fill),
    ];
  });
  return Object.fromEntries(entries);
}

/** Whether a slot is given: because it must be, because it is asked for, or because one inside it is. */
function isGiven(slot: GraphQLArgument | GraphQLInputField, coordinate: string, fill: Fill): boolean {
  return isRequiredInput(slot) || isAskedFor(slot, coordinate, fill, []);
}

function isAskedFor(
  slot: GraphQLArgument | GraphQLInputField,
  coordinate: string,
  fill: Fill,
  seen: readonly string[],
): boolean {
  if (fill.includes(coordinate)) return true;
  const inner = getNamedType(slot.type);
  if (!isInputObjectType(inner) || seen.includes(inner.name)) return false;
  return Object.values(inner.getFields()).some((field) =>
    isAskedFor(field, `${inner.name}.${field.name}`, fill, [...seen, inner.name]),
  );
}

function isRequiredInput(slot: GraphQLArgument | GraphQLInputField): boolean {
  return isNonNullType(slot.type) && slot.defaultValue === undefined && slot.default === undefined;
}

function printLiteral(value: Json, type: GraphQLInputType): string {
  const inner = getNullableType(type);
  if (value === null) return 'null';
  if (Array.isArray(value)) {
    return `[${value.map((item) => printLiteral(item, isListType(inner) ? inner.ofType : inner)).join(', ')}]`;
  }
  if (typeof value === 'object') {
    const fields = isInputObjectType(inner) ? inner.getFields() : {};
    const entries = Object.entries(value).map(([name, entry]) => `${name}: ${printLiteral(entry, fields[name]!.type)}`);
    return `{ ${entries.join(', ')} }`;
  }
  if (typeof value === 'string' && isEnumType(getNamedType(inner)) && /^\w+$/.test(value)) return value;
  return JSON.stringify(value);
}
