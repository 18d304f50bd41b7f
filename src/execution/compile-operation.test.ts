import {
  type DocumentNode,
  execute,
  type FieldNode,
  type GraphQLObjectType,
  getOperationAST,
  getVariableValues,
  parse,
  validate,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Context, createContext, type Dependencies, type Viewer } from '../context.ts';
import { createCachedEngine } from '../inference/prediction-cache.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import { schema } from '../schema/index.ts';
import { createFullOrganization } from '../testing/full-organization.ts';
import type { FuzzData } from '../testing/fuzz/slot-value.ts';
import { writeOperation } from '../testing/fuzz/write-operation.ts';
import { harvest } from '../testing/harvest.ts';
import { createTestApp, type TestApp, unlimitedCost } from '../testing/test-app.ts';
import { compileOperation } from './compile-operation.ts';
import { resolveInfoOf } from './resolve-info.ts';

const word = 'plainword';
const seed = 1;
const randomOperations = 1_500;

let app: TestApp;
let dependencies: Dependencies;
let viewer: Viewer;
let data: FuzzData;

beforeAll(async () => {
  app = await createTestApp({
    settings: unlimitedCost,
    // The same text may be scored a last bit apart in another batch.
    wrapInference: (engine) => createCachedEngine({ engine, maxBytes: 2 ** 24, onLookup: () => {} }),
    // No predictions are kept: what one way asks must not change what the other sees.
    wrapDependencies: (given) => {
      dependencies = { ...given, predictions: { record() {} } };
      return dependencies;
    },
  });
  viewer = await createFullOrganization(app.database.pool, { word, level: 100, count: 4 });
  const own = await harvest(app, schema, viewer, word);
  const foreignViewer = await createFullOrganization(app.database.pool, { word: 'foreign', level: 200, count: 2 });
  const foreign = await harvest(app, schema, foreignViewer, 'foreign');
  data = { own, ownWord: word, foreign, foreignWord: 'foreign' };
});

afterAll(() => app.close());

async function newContext(as: Viewer | null = viewer): Promise<Context> {
  const asked = { ...dependencies, authenticate: () => as };
  return createContext(asked, new Request('http://test'), {
    requestId: 'test',
    signal: new AbortController().signal,
    remainingMs: () => Number.POSITIVE_INFINITY,
    checkListSize: () => {},
  });
}

interface Asked {
  document: DocumentNode;
  variables: Record<string, unknown>;
  operationName?: string | undefined;
}

/** What graphql's own execution answers, as text; null when it has errors. */
async function executed({ document, variables, operationName }: Asked, context: Context): Promise<string | null> {
  const result = await execute({
    schema,
    document,
    contextValue: context,
    variableValues: variables,
    operationName: operationName ?? null,
  });
  return result.errors ? null : JSON.stringify(result);
}

async function compiled({ document, variables, operationName }: Asked, context: Context): Promise<string | null> {
  const operation = getOperationAST(document, operationName)!;
  const run = compileOperation(schema, document, operation);
  if (run === null) return null;
  const { variableValues } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  return variableValues ? run(context, variableValues.coerced) : null;
}

async function both(query: string, variables: Record<string, unknown> = {}) {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  const asked = { document, variables };
  return { slow: await executed(asked, await newContext()), fast: await compiled(asked, await newContext()) };
}

async function expectEqual(query: string, variables: Record<string, unknown> = {}): Promise<void> {
  const { slow, fast } = await both(query, variables);
  expect(slow).not.toBeNull();
  expect(fast).toBe(slow);
}

describe('random operations', () => {
  test('are answered as graphql answers them, or left to it where something fails', async () => {
    const faults: string[] = [];
    let [equal, failed] = [0, 0];
    for (let number = 0; number < randomOperations; number++) {
      const { query, variables, operationName } = writeOperation(schema, data, seed, number) as {
        query: string;
        variables: Record<string, unknown> | undefined;
        operationName: string | undefined;
      };
      const document = parsed(query);
      const operation = document && getOperationAST(document, operationName);
      if (!document || operation?.operation !== 'query' || validate(schema, document).length > 0) continue;
      const asked = { document, variables: variables ?? {}, operationName };
      const slow = await executed(asked, await newContext());
      const fast = await compiled(asked, await newContext());
      if (slow === fast) slow === null ? failed++ : equal++;
      else faults.push(`operation ${number}: ${query}\n${JSON.stringify(variables)}\n${slow}\n${fast}`);
    }
    expect(faults.slice(0, 3).join('\n\n')).toBe('');
    expect(equal).toBeGreaterThan(randomOperations / 4);
    expect(failed).toBeGreaterThan(0);
  }, 120_000);
});

function parsed(query: unknown): DocumentNode | null {
  try {
    return parse(query as string);
  } catch {
    return null;
  }
}

describe('a selection', () => {
  test('has its keys in the order in which they are first named, fields of one key merged', async () => {
    await expectEqual(
      `query ($yes: Boolean!, $no: Boolean = false) {
      b: features(first: 2) { nodes { ...F id name } }
      a: features(first: 2) { nodes { owner { email } ... on Feature { owner { id name } } ...F @skip(if: $yes) } pageInfo { endCursor } }
      features(first: 2) @include(if: $no) { totalCount }
      __typename
    } fragment F on Feature { again: name status owner { name } __typename }`,
      {
        yes: true,
      },
    );
  });

  test('is another for other values of its conditions', async () => {
    const query = 'query ($with: Boolean!) { viewer { id email @include(if: $with) name @skip(if: $with) } }';
    const document = parse(query);
    const run = compileOperation(schema, document, getOperationAST(document)!)!;
    for (const value of [true, false, true]) {
      const variables = { with: value };
      expect(await run(await newContext(), variables)).toBe(
        await executed({ document, variables }, await newContext()),
      );
    }
  });

  test('of nothing is an empty object', async () => {
    await expectEqual('{ viewer { id @skip(if: true) } }');
  });

  test('goes through interfaces, by types, with nulls in between', async () => {
    const [feature] = data.own.ids.get('Feature')!;
    const [user] = data.own.ids.get('User')!;
    const unknown = encodeGlobalId('Feature', '01890000-0000-7000-8000-000000000000');
    await expectEqual(
      `query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Feature { name owner { id } } ... on User { email } } }`,
      { ids: [feature, unknown, user, feature] },
    );
  });

  test('has edges with cursors, page info and counts, at the root and below parents', async () => {
    const list =
      'totalCount edges { cursor node { id } } nodes { id } pageInfo { startCursor endCursor hasNextPage hasPreviousPage }';
    await expectEqual(
      `{ features(first: 3) { ${list.replace('nodes { id }', `nodes { id testCases(first: 1) { ${list} } }`)} } }`,
    );
    await expectEqual(`{ features(first: 0) { ${list} } }`);
  });
});

describe('what is left to graphql', () => {
  test.each([
    ['mutations', 'mutation { deleteFeature(input: { id: "x" }) { deletedId } }'],
    ['introspection', '{ __schema { queryType { name } } }'],
    ['introspection beside data', '{ viewer { id } __type(name: "User") { name } }'],
    ['the same in a fragment', 'query { ...Q } fragment Q on Query { __schema { queryType { name } } }'],
  ])('%s', (_label, query) => {
    const document = parse(query);
    expect(compileOperation(schema, document, getOperationAST(document)!)).toBeNull();
  });

  test.each([
    ['an argument that is refused', '{ features(first: 2000, last: 1) { nodes { id } } }', {}],
    ['an id that is none', '{ viewer { id } feature(id: "nonsense") { id } }', {}],
    ['a variable that does not fit', 'query ($n: Int!) { features(first: $n) { nodes { id } } }', { n: 'many' }],
    ['a variable that is missing', 'query ($n: Int!) { features(first: $n) { nodes { id } } }', {}],
    ['a field without its scope', '{ viewer { id } features { totalCount } }', {}],
  ])('%s', async (label, query, variables) => {
    const document = parse(query);
    const context = await newContext(label.endsWith('its scope') ? { ...viewer, scopes: [] } : viewer);
    expect(await compiled({ document, variables }, context)).toBeNull();
  });

  test('a condition that brings what has no plan, and nothing else of the same operation', async () => {
    const document = parse(
      'query ($all: Boolean!) { viewer { id } __schema @include(if: $all) { queryType { name } } }',
    );
    const run = compileOperation(schema, document, getOperationAST(document)!)!;
    expect(await run(await newContext(), { all: true })).toBeNull();
    expect(await run(await newContext(), { all: false })).toContain('viewer');
  });

  test('a resolver below the root that wants its path; at the root it has one', async () => {
    const scope = { schema, fragments: new Map(), variables: { sources: {}, coerced: {} } };
    const document = parse('{ again: viewer { name } }');
    const operation = getOperationAST(document)!;
    const [node] = operation.selectionSet.selections as [FieldNode];
    const infoOf = (typename: string, field: string) => {
      const type = schema.getType(typename) as GraphQLObjectType;
      return resolveInfoOf({
        scope: { ...scope, operation },
        parentType: type,
        field: type.getFields()[field]!,
        nodes: [node],
      });
    };
    const run = { schema, operation, context: await newContext(), variables: scope.variables };
    expect(infoOf('Query', 'viewer')(run).path).toEqual({ prev: undefined, key: 'again', typename: 'Query' });
    expect(() => infoOf('User', 'name')(run).path).toThrow('User.name wants its path');
  });

  test('a resolver is told what graphql tells it', async () => {
    const text = 'query Told($id: ID!) { feature(id: $id) { ...Part } } fragment Part on Feature { name }';
    const names = ['fieldName', 'fieldNodes', 'returnType', 'parentType', 'path', 'schema', 'operation'] as const;
    const told: unknown[] = [];
    const signals: unknown[] = [];
    const field = schema.getQueryType()!.getFields().feature!;
    const { resolve } = field;
    field.resolve = (parent, args, context, info) => {
      const fragments = Object.keys(info.fragments);
      const given = names.map((name) => info[name]);
      told.push([...given, fragments, info.rootValue, info.variableValues.coerced, args]);
      signals.push(info.getAbortSignal());
      return resolve!(parent, args, context, info);
    };
    onTestFinished(() => {
      field.resolve = resolve;
    });
    const document = parse(text);
    const variableValues = { id: 'RmVhdHVyZTo=' };
    const contextValue = await newContext();
    await execute({ schema, document, contextValue, variableValues });
    await compileOperation(schema, document, getOperationAST(document)!)!(contextValue, variableValues);
    expect(told).toHaveLength(2);
    expect(told[1]).toEqual(told[0]);
    expect(signals[1]).toBe(contextValue.signal);
  });
});

describe('statements', () => {
  const page = (
    first: number,
  ) => `{ features(first: ${first}) { nodes { id owner { name } testCases(first: 2) { totalCount nodes { name } }
    deployments { nodes { version feature { name } } } testSummary { total } } } }`;

  const takeNames = () =>
    app.database
      .takeStatements()
      .map(({ name }) => name)
      .sort();

  async function statementsOf(query: string): Promise<string[]> {
    app.database.takeStatements();
    expect(await compiled({ document: parse(query), variables: {} }, await newContext())).not.toBeNull();
    return takeNames();
  }

  test('are as many for one row as for many, and as many as by graphql', async () => {
    // What is left to graphql answers before all of it has ended: statements of earlier tests may still run.
    await statementsOf(page(1));
    const one = await statementsOf(page(1));
    expect(await statementsOf(page(4))).toEqual(one);
    app.database.takeStatements();
    await executed({ document: parse(page(4)), variables: {} }, await newContext());
    expect(takeNames()).toEqual(one);
  });
});
