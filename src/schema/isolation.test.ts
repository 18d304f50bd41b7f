import { type GraphQLSchema, isObjectType } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../context.ts';
import { newId } from '../db/id.ts';
import { insertTestCases } from '../domains/features/queries.ts';
import { createFullOrganization, hideFeatures } from '../testing/full-organization.ts';
import { edgeTypeOf, type Harvest, harvest, valuesOf } from '../testing/harvest.ts';
import { createModelFolder, type ModelFolder } from '../testing/model-versions.ts';
import { listOperations, listSlots, type Operation, printOperation, type Slot } from '../testing/schema-walk.ts';
import { createFeatures, createUser } from '../testing/seed-builders.ts';
import { isCursor, isFreeText, listNodeTypes, nodeTypeOf } from '../testing/slot-values.ts';
import { digestTables, listUuids } from '../testing/table-digest.ts';
import { type Answer, createTestApp, type TestApp, unlimitedCost } from '../testing/test-app.ts';
import { encodeGlobalId } from './global-id.ts';
import { schema } from './index.ts';

/**
 * Organization B asks for everything the schema offers, with the ids, cursors and words of organization A, and must see
 * and change nothing of A. Everything is derived from the schema: a field or an argument that is added is tried as well.
 */
const secret = 'quokkasecret';
const ownWord = 'plainword';
/** They may be read without signing in: nothing of an organization is in them, or only what is public, and A has hidden that. */
const publicFields = [
  'viewer',
  'publicFeature',
  'publicFeatures',
  'models',
  'model',
  'node(Model)',
  'node(ModelVersion)',
  'nodes(Model)',
  'nodes(ModelVersion)',
];

const operations = listOperations(schema);
const queries = operations.filter(({ kind }) => kind === 'query');
const mutations = operations.filter(({ kind }) => kind === 'mutation');

let app: TestApp;
let models: ModelFolder;
let a: Viewer;
let b: Viewer;
let ofA: Harvest;
let ofB: Harvest;
let uuidsOfA: string[];
/** What B was answered while A did not exist. */
const answersAlone = new Map<string, Answer>();

beforeAll(async () => {
  // No predictions are kept: what B asks must not change what B sees.
  const predictions = { record() {} };
  models = await createModelFolder({ 'energy-forecast': ['2'] });
  app = await createTestApp({
    modelsDirectory: models.directory,
    settings: unlimitedCost,
    wrapDependencies: (dependencies) => ({ ...dependencies, predictions }),
  });
  b = await createFullOrganization(app.database.pool, { word: ownWord, level: 100, count: 2 });
  ofB = await harvest(app, schema, b, ownWord);
  for (const query of queries) answersAlone.set(query.label, await askOwn(query));
  a = await createFullOrganization(app.database.pool, { word: secret, level: 700_000, count: 3 });
  ofA = await harvest(app, schema, a, secret);
  await hideFeatures(app.database.pool, a);
  uuidsOfA = await listUuids(app.database.pool, a.organizationId);
});

afterAll(async () => {
  await app.close();
  await models[Symbol.asyncDispose]();
});

/** The operation as B, with ids and words of B's own. */
function askOwn(operation: Operation): Promise<Answer> {
  return app.query(printPlainly(operation, ofB, ownWord), {}, b);
}

/** A query with the arguments it must have; a mutation with all that its input can hold. */
function printPlainly(operation: Operation, found: Harvest, text: string): string {
  const includes = (coordinate: string) => operation.kind === 'mutation' && !coordinate.endsWith(':)');
  return printOperation(schema, operation, { includes, value: valuesOf(schema, found, text) });
}

describe('the data of the test', () => {
  test('has rows of both organizations in every table', async () => {
    for (const viewer of [a, b]) {
      const digests = Object.entries(await digestTables(app.database.pool, viewer.organizationId));
      const empty = digests.filter(([, { rows }]) => rows === 0).map(([name]) => name);
      expect(empty, 'tables without rows: add some in src/testing/full-organization.ts').toEqual([]);
    }
  });

  test('has ids of every node type and cursors of every connection', () => {
    for (const found of [ofA, ofB]) {
      expect([...found.ids.keys()].sort()).toEqual(expect.arrayContaining(listNodeTypes(schema).sort()));
      expect([...found.cursors.keys()].sort()).toEqual(listEdgeTypes(schema));
    }
  });

  test('lets A see the secret in everything that is A’s', async () => {
    const silent = ['models', 'model', 'analytics', 'predictions', 'predict', 'sentiment'];
    silent.push('publicFeature', 'publicFeatures');
    for (const query of queries) {
      if (silent.includes(query.label) || /Model|Prediction/.test(query.label)) continue;
      const answer = await app.query(printPlainly(query, ofA, secret), {}, a);
      expect(JSON.stringify(answer.data), query.label).toContain(secret);
    }
  });
});

describe('queries as B', () => {
  test.each(queries.map((query) => [query.label, query]))('%s answers as if A did not exist', async (label, query) => {
    const answer = await askOwn(query);
    expect(answer.errors).toBeUndefined();
    expect(answer.data).toEqual(answersAlone.get(label)?.data);
  });

  test.each(queries.map((query) => [query.label, query]))('%s gives nothing of A', async (_label, query) => {
    for (const document of documentsAgainstA(query)) expectNothingOfA(await app.query(document, {}, b), document);
  });
});

describe('mutations as B', () => {
  beforeEach(async () => {
    b = await createFullOrganization(app.database.pool, { word: ownWord, level: 100, count: 1 });
    ofB = await harvest(app, schema, b, ownWord);
  });

  test.each(mutations.map((mutation) => [mutation.label, mutation]))('%s works on B’s own', async (label, mutation) => {
    const answer = await expectUnchanged(() => askOwn(mutation));
    // A new site has nothing to forecast from.
    expect(answer.errors?.filter(({ path }) => path?.at(-1) !== 'forecast') ?? []).toEqual([]);
    expectNothingOfA(answer, label);
  });

  test.each(mutations.map((mutation) => [mutation.label, mutation]))(
    '%s changes nothing of A',
    async (_label, mutation) => {
      for (const document of documentsAgainstA(mutation)) {
        const answer = await expectUnchanged(() => app.query(document, {}, b));
        expectNothingOfA(answer, document);
      }
    },
  );

  test.each(mutations.map((mutation) => [mutation.label, mutation]))(
    '%s refuses each id of A',
    async (_label, mutation) => {
      for (const slot of idSlots(mutation)) {
        const answer = await app.query(withForeign(mutation, [slot], slot), {}, b);
        expect(answer.errors?.[0]?.extensions, slot.coordinate).toMatchObject({
          code: 'NOT_FOUND',
          issues: [{ path: slot.path }],
        });
      }
    },
  );
});

describe('without a viewer', () => {
  test.each(operations.map((operation) => [operation.label, operation]))(
    '%s gives nothing',
    async (label, operation) => {
      const document = printPlainly(operation, ofA, ownWord);
      const answer = await expectUnchanged(() => app.query(document, {}, null));
      expectNothingOfA(answer, document);
      if (publicFields.includes(label)) return;
      expect(answer.errors?.map(({ extensions }) => extensions.code)).toEqual(['UNAUTHENTICATED']);
      expect(Object.values(answer.data ?? {}).flat()).toEqual(answer.data ? [null] : []);
    },
  );
});

describe('what A shows to everybody', () => {
  const shown = 'For everybody';
  let organizationId: string;
  let id: string;

  beforeAll(async () => {
    const ownerId = await createUser(app.database.pool, a.organizationId, `Ada ${secret}`);
    const [feature] = await createFeatures(app.database.pool, a, [{ name: shown, ownerId, isPublic: true }]);
    const tests = [{ id: newId(), name: `Test ${secret}`, status: 'PASSED' } as const];
    await insertTestCases(app.database.pool, a.organizationId, feature!.id, tests);
    organizationId = encodeGlobalId('Organization', a.organizationId);
    id = encodeGlobalId('PublicFeature', feature!.id);
    // All ids of A, also those of what is beside the feature.
    uuidsOfA = (await listUuids(app.database.pool, a.organizationId)).filter((uuid) => uuid !== feature!.id);
  });

  test.each([
    ['B', () => b],
    ['nobody', () => null],
  ])('is all that %s sees', async (_who, as) => {
    const fields = 'id name description status updatedAt testSummary { passed total }';
    const document = `{ publicFeature(organizationId: "${organizationId}", id: "${id}") { ${fields} }
      publicFeatures(organizationId: "${organizationId}") { totalCount nodes { ${fields} } edges { cursor } } }`;
    const answer = await app.query(document, {}, as());
    const feature = { id, name: shown, description: '', status: 'PLANNED', testSummary: { passed: 1, total: 1 } };
    expect(answer.data).toMatchObject({ publicFeature: feature, publicFeatures: { totalCount: 1, nodes: [feature] } });
    expectNothingOfA(answer, document);
  });

  test.each(queries.map((query) => [query.label, query]))('brings nothing else of A into %s', async (_label, query) => {
    const given = valuesOf(schema, { ...ofA, ids: new Map(ofA.ids).set('PublicFeature', new Set([id])) }, ownWord);
    for (const viewer of [b, null]) {
      const document = printOperation(schema, query, { includes: () => false, value: given });
      expectNothingOfA(await app.query(document, {}, viewer), document);
    }
  });
});

/** The operation with each id, each cursor and each text of A in turn, and with all ids of A at once. */
function documentsAgainstA(operation: Operation): string[] {
  const slots = [...listSlots(schema, operation, 'all').values()];
  const ids = idSlots(operation);
  const foreign = [...ids, ...slots.filter(isCursor)].flatMap((slot) => {
    const edgesOrIds = isCursor(slot) ? ofA.cursors.get(edgeTypeOf(slot)) : ofA.ids.get(nodeTypeOf(schema, slot));
    return [...(edgesOrIds ?? [])].slice(0, 3).map((value) => withForeign(operation, [slot], slot, value));
  });
  const others = slots.filter((slot) => slot.type !== 'ID' && !isCursor(slot));
  return [
    ...foreign,
    ...others.map((slot) => withForeign(operation, [slot], slot)),
    withForeign(operation, ids, ...ids),
    withForeign(operation, [], ...ids),
  ];
}

/** Whether it is an input field of a mutation that takes no id: it is given, so that there is something to change. */
function isChange(operation: Operation, coordinate: string): boolean {
  if (operation.kind === 'query' || coordinate.endsWith(':)')) return false;
  return listSlots(schema, operation, 'all').get(coordinate)?.type !== 'ID';
}

function idSlots(operation: Operation): Slot[] {
  return [...listSlots(schema, operation, 'all').values()].filter((slot) => slot.type === 'ID');
}

/** The operation of B's own with the optional slots `included`, and what is A's in the `foreign` ones. */
function withForeign(operation: Operation, included: Slot[], ...rest: (Slot | string)[]): string {
  const foreign = rest.filter((slot): slot is Slot => typeof slot === 'object').map(({ coordinate }) => coordinate);
  const given = rest.find((value) => typeof value === 'string');
  const own = valuesOf(schema, ofB, ownWord);
  // What B writes is B's own to read: the secret is for searching only.
  const theirs = valuesOf(schema, ofA, operation.kind === 'query' ? secret : ownWord);
  return printOperation(schema, operation, {
    includes: (coordinate) =>
      included.some((slot) => slot.coordinate === coordinate) || isChange(operation, coordinate),
    value: (slot) => {
      if (foreign.includes(slot.coordinate)) return given ?? theirs(slot);
      return isFreeText(slot) && operation.kind === 'query' ? secret : own(slot);
    },
  });
}

function expectNothingOfA(answer: Answer, document: string): void {
  const body = JSON.stringify({ data: answer.data, errors: answer.errors });
  const decoded = (body.match(/[\w-]{16,}/g) ?? []).map((text) => Buffer.from(text, 'base64url').toString());
  const text = [body, ...decoded].join('\n').toLowerCase();
  const leaked = [secret, ...uuidsOfA].filter((forbidden) => text.includes(forbidden));
  expect(leaked, document).toEqual([]);
  expect(body, document).not.toContain('INTERNAL');
}

async function expectUnchanged(work: () => Promise<Answer>): Promise<Answer> {
  const before = await digestTables(app.database.pool, a.organizationId);
  const answer = await work();
  expect(await digestTables(app.database.pool, a.organizationId)).toEqual(before);
  return answer;
}

function listEdgeTypes(of: GraphQLSchema): string[] {
  const types = Object.values(of.getTypeMap()).filter((type) => isObjectType(type) && type.name.endsWith('Edge'));
  return types.map((type) => type.name).sort();
}
