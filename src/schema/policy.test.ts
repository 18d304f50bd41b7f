import SchemaBuilder from '@pothos/core';
import {
  execute,
  type GraphQLField,
  type GraphQLNamedType,
  getNamedType,
  getNullableType,
  isCompositeType,
  isInputObjectType,
  isIntrospectionType,
  isListType,
  isObjectType,
  parse,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import type { Context, Viewer } from '../context.ts';
import { schema } from './index.ts';
import './policy-plugin.ts';
import { policyOf } from './policy.ts';

const createBuilder = () => new SchemaBuilder<{ Context: Context }>({ plugins: ['policy'], policy: {} });

const objectTypes = Object.values(schema.getTypeMap()).filter(
  (type) => isObjectType(type) && !isIntrospectionType(type),
);
const fields = objectTypes.flatMap((type) =>
  isObjectType(type) ? Object.values(type.getFields()).map((field) => ({ type, field })) : [],
);
const coordinateOf = (type: GraphQLNamedType, { name }: GraphQLField<unknown, unknown>) => `${type.name}.${name}`;

describe('a root field', () => {
  test.each(['queryType', 'mutationType'] as const)('of %s must state its scope', (kind) => {
    const builder = createBuilder();
    if (kind === 'mutationType')
      builder.queryType({ fields: (t) => ({ fine: t.int({ scope: 'read', resolve: () => 1 }) }) });
    builder[kind]({ fields: (t) => ({ bare: t.int({ resolve: () => 1 }) }) });
    expect(() => builder.toSchema()).toThrow(/(Query|Mutation)\.bare states no scope: expected 'read'/);
  });

  test('asks for the scope it states, and only it', async () => {
    const builder = createBuilder();
    builder.queryType({
      fields: (t) => ({
        open: t.int({ scope: 'none', nullable: true, resolve: () => 1 }),
        readable: t.int({ scope: 'read', nullable: true, resolve: () => 2 }),
        secret: t.int({ scope: 'admin', nullable: true, resolve: () => 3 }),
      }),
    });
    const own = builder.toSchema();
    const run = async (viewer: Viewer | null) => {
      const document = parse('{ open readable secret }');
      const { data, errors } = await execute({ schema: own, document, contextValue: { viewer } });
      return { data: { ...data }, errors: errors?.map(({ path, extensions }) => [path?.join('.'), extensions.code]) };
    };
    const viewer: Viewer = { userId: 'u', organizationId: 'o', scopes: ['read', 'write'] };
    expect(await run(viewer)).toEqual({
      data: { open: 1, readable: 2, secret: null },
      errors: [['secret', 'FORBIDDEN']],
    });
    expect(await run({ ...viewer, scopes: ['admin'] })).toEqual({
      data: { open: 1, readable: null, secret: 3 },
      errors: [['readable', 'FORBIDDEN']],
    });
    expect(await run(null)).toEqual({
      data: { open: 1, readable: null, secret: null },
      errors: [
        ['readable', 'UNAUTHENTICATED'],
        ['secret', 'UNAUTHENTICATED'],
      ],
    });
  });

  test('without a scope to ask for keeps its own resolver', () => {
    const builder = createBuilder();
    const resolve = () => 1;
    builder.queryType({
      fields: (t) => ({ open: t.int({ scope: 'none', resolve }), closed: t.int({ scope: 'read', resolve }) }),
    });
    const { open, closed } = builder.toSchema().getQueryType()!.getFields();
    expect(open!.resolve).toBe(resolve);
    expect(closed!.resolve).not.toBe(resolve);
  });
});

test('a field of an interface states no cost', () => {
  const builder = createBuilder();
  builder.queryType({ fields: (t) => ({ fine: t.int({ scope: 'read', resolve: () => 1 }) }) });
  builder.interfaceRef('Thing').implement({ fields: (t) => ({ size: t.int({ cost: 2 }) }) });
  expect(() => builder.toSchema()).toThrow('Thing.size has a cost');
});

describe('the schema', () => {
  test('lets reads read and writes write, and admins roll out', () => {
    const scopes = (type: GraphQLNamedType | null | undefined) =>
      new Set(fields.filter((each) => each.type === type).map(({ field }) => policyOf(field).scope));
    expect(scopes(schema.getMutationType())).toEqual(new Set(['write', 'admin']));
    const forAdmins = fields.filter(({ field }) => policyOf(field).scope === 'admin');
    expect(forAdmins.map(({ field }) => field.name)).toEqual(['setModelRollout']);
    expect(scopes(schema.getQueryType())).toEqual(new Set(['read', 'none']));
    const open = fields.filter(({ field }) => policyOf(field).scope === 'none');
    expect(open.map(({ field }) => field.name)).toEqual(['publicFeature', 'publicFeatures', 'viewer']);
  });

  test('says of every list of objects how long it is', () => {
    const sizedBy = (type: GraphQLNamedType, name: string) => {
      const sources = fields.filter(({ field }) => getNamedType(field.type) === type);
      return sources.length > 0 && sources.every(({ field }) => policyOf(field).listSize?.sizedFields?.includes(name));
    };
    const unsized = fields.filter(
      ({ type, field }) =>
        isListType(getNullableType(field.type)) &&
        isCompositeType(getNamedType(field.type)) &&
        !policyOf(field).listSize &&
        !sizedBy(type, field.name),
    );
    expect(unsized.map(({ type, field }) => coordinateOf(type, field))).toEqual([]);
  });

  test('names slicing arguments and sized fields that exist', () => {
    const wrong = fields.flatMap(({ type, field }) => {
      const { slicingArguments = [], sizedFields = [] } = policyOf(field).listSize ?? {};
      const answer = getNamedType(field.type);
      const children = isObjectType(answer) ? answer.getFields() : {};
      return [
        ...slicingArguments.filter((path) => !hasArgument(field, path)),
        ...sizedFields.filter((name) => !isListType(getNullableType(children[name]?.type))),
      ].map((name) => `${coordinateOf(type, field)}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });

  test('sizes every connection by its page', () => {
    const connections = fields.filter(({ field }) => getNamedType(field.type).name.endsWith('Connection'));
    expect(connections.length).toBeGreaterThan(5);
    for (const { field } of connections) {
      expect(policyOf(field).listSize).toEqual({
        slicingArguments: ['first', 'last'],
        sizedFields: ['edges', 'nodes'],
        assumedSize: 20,
        maxSize: 1000,
      });
    }
  });
});

function hasArgument({ args }: GraphQLField<unknown, unknown>, path: string): boolean {
  const [name, ...rest] = path.split('.');
  let type = args.find((candidate) => candidate.name === name)?.type;
  for (const part of rest) {
    const object = type && getNamedType(type);
    type = isInputObjectType(object) ? object.getFields()[part]?.type : undefined;
  }
  return type !== undefined;
}
