import { readFileSync } from 'node:fs';
import {
  type DefinitionNode,
  type FieldDefinitionNode,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type InputValueDefinitionNode,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  isScalarType,
  isSpecifiedScalarType,
  Kind,
  parse,
  print,
  printType,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { schema } from './index.ts';

const { definitions } = parse(readFileSync(new URL('./contract.graphql', import.meta.url), 'utf8'));
const named = definitions.filter((definition) => 'name' in definition && definition.name !== undefined);
const publicTypes = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);

describe('the contract', () => {
  test.each(named.map((definition) => [nameOf(definition), definition]))('keeps %s', (name, definition) => {
    expect(deviations(name, definition)).toEqual([]);
  });

  test('is kept by every connection', () => {
    const connections = publicTypes.filter((type) => type.name.endsWith('Connection'));
    expect(connections.map(({ name }) => name)).toEqual(expect.arrayContaining(mentioned(/^\w+Connection$/)));
    for (const connection of connections) {
      const item = connection.name.replace(/Connection$/, '');
      const fields = isObjectType(connection) ? connection.getFields() : {};
      const types = Object.fromEntries(Object.values(fields).map((field) => [field.name, String(field.type)]));
      expect(types, connection.name).toMatchObject({
        edges: `[${item}Edge!]!`,
        nodes: `[${item}!]!`,
        pageInfo: 'PageInfo!',
        totalCount: 'Int!',
      });
      expect(printType(schema.getType(`${item}Edge`)!)).toMatch(new RegExp(`cursor: String!(.|\\n)*node: ${item}!`));
    }
  });

  test('names no type that the schema lacks', () => {
    expect(mentioned(/./).filter((name) => !schema.getType(name))).toEqual([]);
  });
});

describe('descriptions', () => {
  test('every type, field, argument, input field and enum value has one', () => {
    const bare = publicTypes.flatMap((type) => [...missing(type.name, type), ...membersWithout(type)]);
    expect(bare).toEqual([]);
  });
});

/** What of a definition the schema lacks or has otherwise, one line each. */
function deviations(name: string, definition: DefinitionNode): string[] {
  const type = schema.getType(name);
  switch (definition.kind) {
    case Kind.SCALAR_TYPE_DEFINITION:
      return isScalarType(type) ? [] : [`${name} is no scalar`];
    case Kind.ENUM_TYPE_DEFINITION: {
      const values = isEnumType(type) ? type.getValues().map((value) => value.name) : [];
      const wanted = definition.values?.map((value) => value.name.value) ?? [];
      return wanted.filter((value) => !values.includes(value)).map((value) => `${name}.${value} is missing`);
    }
    case Kind.INPUT_OBJECT_TYPE_DEFINITION:
      if (!isInputObjectType(type)) return [`${name} is no input type`];
      return inputDeviations(name, definition.fields ?? [], Object.values(type.getFields()), isRequiredInputField);
    case Kind.INTERFACE_TYPE_DEFINITION:
    case Kind.OBJECT_TYPE_DEFINITION: {
      if (!isObjectType(type) && !isInterfaceType(type)) return [`${name} is no type with fields`];
      const interfaces = type.getInterfaces().map((implemented) => implemented.name);
      const lacking = definition.interfaces?.filter((wanted) => !interfaces.includes(wanted.name.value)) ?? [];
      return [
        ...lacking.map((wanted) => `${name} does not implement ${wanted.name.value}`),
        ...(definition.fields ?? []).flatMap((field) =>
          fieldDeviations(name, field, type.getFields()[field.name.value]),
        ),
      ];
    }
    default:
      return [`${name} is of a kind this test does not know: ${definition.kind}`];
  }
}

function fieldDeviations(
  typeName: string,
  wanted: FieldDefinitionNode,
  field: GraphQLField<unknown, unknown> | undefined,
): string[] {
  const name = `${typeName}.${wanted.name.value}`;
  if (!field) return [`${name} is missing`];
  const type = print(wanted.type);
  return [
    ...(String(field.type) === type ? [] : [`${name} is ${field.type}, not ${type}`]),
    ...inputDeviations(name, wanted.arguments ?? [], field.args, isRequiredArgument),
  ];
}

function inputDeviations<Input extends GraphQLArgument | GraphQLInputField>(
  owner: string,
  wanted: readonly InputValueDefinitionNode[],
  given: readonly Input[],
  isRequired: (input: Input) => boolean,
): string[] {
  const names = wanted.map((input) => input.name.value);
  const added = given.filter((input) => isRequired(input) && !names.includes(input.name));
  const changed = wanted.flatMap((input) => {
    const found = given.find((candidate) => candidate.name === input.name.value);
    const actual = found && printInput(found);
    const expected = `${print(input.type)}${input.defaultValue ? ` = ${print(input.defaultValue)}` : ''}`;
    return actual === expected ? [] : [`${owner}(${input.name.value}:) is ${actual}, not ${expected}`];
  });
  return [
    ...changed,
    ...added.map((input) => `${owner}(${input.name}:) must be given, which the contract does not say`),
  ];
}

/** The type and default of an argument, as the schema language writes them. */
function printInput(input: GraphQLArgument | GraphQLInputField): string {
  const value = input.default?.value ?? input.default?.literal ?? input.defaultValue;
  return value === undefined ? String(input.type) : `${input.type} = ${String(value)}`;
}

function nameOf(definition: DefinitionNode): string {
  return 'name' in definition ? (definition.name?.value ?? '') : '';
}

/** The names of types that the contract mentions anywhere. */
function mentioned(pattern: RegExp): string[] {
  const names = new Set<string>();
  JSON.stringify(definitions, (_key, value) => {
    if (value?.kind === Kind.NAMED_TYPE && pattern.test(value.name.value)) names.add(value.name.value);
    return value;
  });
  return [...names];
}

function missing(name: string, { description }: { description?: string | null | undefined }): string[] {
  return description?.trim() ? [] : [name];
}

function membersWithout(type: (typeof publicTypes)[number]): string[] {
  if (isEnumType(type)) return type.getValues().flatMap((value) => missing(`${type.name}.${value.name}`, value));
  if (isInputObjectType(type)) {
    return Object.values(type.getFields()).flatMap((field) => missing(`${type.name}.${field.name}`, field));
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return [];
  return Object.values(type.getFields()).flatMap((field) => {
    const name = `${type.name}.${field.name}`;
    return [...missing(name, field), ...field.args.flatMap((input) => missing(`${name}(${input.name}:)`, input))];
  });
}
