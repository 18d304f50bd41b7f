import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerCache } from '../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../cache/invalidation-log.ts';
import type { Outcome } from '../cache/operation-record.ts';
import { readConfig } from '../config.ts';
import type { Dependencies, Viewer } from '../context.ts';
import { schema } from '../schema/index.ts';
import { createFullOrganization } from '../testing/full-organization.ts';
import { type Harvest, harvest, valuesOf } from '../testing/harvest.ts';
import { createModelFolder, type ModelFolder } from '../testing/model-versions.ts';
import { listOperations, type Operation, printOperation } from '../testing/schema-walk.ts';
import { createUser } from '../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp, unlimitedCost, viewerHeader } from '../testing/test-app.ts';
import { createApp } from './app.ts';

const word = 'plainword';
let app: TestApp;
let models: ModelFolder;
/** The same server without a cache. */
let fresh: ReturnType<typeof createApp>;
let viewer: Viewer;
let found: Harvest;
let outcomes: Outcome[] = [];
let changes = 0;

beforeAll(async () => {
  let dependencies: Dependencies | undefined;
  models = await createModelFolder({ 'energy-forecast': ['2'] });
  app = await createTestApp({
    modelsDirectory: models.directory,
    cache: new AnswerCache({
      openLog: (onChange) =>
        createLocalInvalidationLog((change) => {
          changes += 1;
          onChange(change);
        }),
      maxBytes: 2 ** 24,
      onOutcome: (outcome) => outcomes.push(outcome),
    }),
    settings: unlimitedCost,
    wrapDependencies: (given) => {
      dependencies = { ...given, predictions: { record() {} } };
      return dependencies;
    },
  });
  const settings = { ...readConfig({ NODE_ENV: 'test' }), ...unlimitedCost };
  fresh = createApp({
    dependencies: dependencies!,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    settings,
  });
  viewer = await createFullOrganization(app.database.pool, { word, level: 100, count: 2 });
  found = await harvest(app, schema, viewer, word);
});

beforeEach(() => {
  outcomes = [];
});

afterAll(async () => {
  await app.close();
  await models[Symbol.asyncDispose]();
});

const ask = async (document: string, as: Viewer | null = viewer, variables: object = {}) => {
  const { data, errors } = await app.query(document, variables as Record<string, unknown>, as);
  return { data, errors };
};

const askFresh = async (document: string, as: Viewer | null = viewer) => {
  const response = await fresh.fetch('http://test/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', [viewerHeader]: JSON.stringify(as) },
    body: JSON.stringify({ query: document }),
  });
  const { data, errors } = (await response.json()) as { data: unknown; errors: unknown };
  return { data, errors };
};

/** What is expected of what was there before is left out: it would be refused. */
function printed(mutation: Operation): string {
  const includes = (coordinate: string) => !/:\)$|expectedUpdatedAt/.test(coordinate);
  const document = printOperation(schema, mutation, { includes, value: valuesOf(schema, found, word) });
  // The test cases that are there have failed.
  return document.replace('status: FAILED', 'status: PASSED');
}

// What deletes comes last: the others need what is there.
const mutations = listOperations(schema)
  .filter(({ kind }) => kind === 'mutation')
  .sort((one, other) => Number(one.label.startsWith('delete')) - Number(other.label.startsWith('delete')));

describe('an answer that was kept', () => {
  test('comes back without a statement, byte for byte', async () => {
    const document = '{ features(first: 2) { totalCount nodes { id name owner { name } testSummary { total } } } }';
    const first = await app.query(document, {}, viewer);
    expect(first.errors).toBeUndefined();
    outcomes = [];
    let again: typeof first | undefined;
    expect(
      await countStatements(app, async () => {
        again = await app.query(document, {}, viewer);
      }),
    ).toEqual([]);
    expect(again!.data).toEqual(first.data);
    expect(outcomes).toEqual(['hit']);
  });

  test('is the same whatever the order of variables, and not for other variables', async () => {
    const document = 'query ($a: Int, $b: FeatureFilter) { features(first: $a, filter: $b) { nodes { name } } }';
    const b = { nameContains: word, statusIn: ['DONE'] };
    await ask(document, viewer, { a: 1, b });
    await ask(document, viewer, { b: { statusIn: ['DONE'], nameContains: word }, a: 1, unknown: 1 });
    await ask(document, viewer, { a: 2, b });
    expect(outcomes).toEqual(['miss', 'hit', 'miss']);
  });

  test('is one for all users of an organization with the same scopes, and of no other', async () => {
    const document = '{ features(first: 3) { nodes { name } } }';
    const colleague = { ...viewer, userId: await createUser(app.database.pool, viewer.organizationId) };
    await ask(document);
    await ask(document, colleague);
    expect(outcomes).toEqual(['miss', 'hit']);
    outcomes = [];
    const stranger = await createFullOrganization(app.database.pool, { word: 'other', level: 5, count: 1 });
    const { data } = await ask(document, stranger);
    expect(outcomes).toEqual(['miss']);
    expect(JSON.stringify(data)).not.toContain(word);
    const { errors } = await ask(document, { ...viewer, scopes: ['write'] });
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    expect((await ask(document, null)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });

  test('of a viewer’s own is nobody else’s, behind an alias and a fragment too', async () => {
    const document = '{ me: viewer { ...F } } fragment F on User { n: id }';
    const colleague = { ...viewer, userId: await createUser(app.database.pool, viewer.organizationId) };
    const own = await ask(document);
    const other = await ask(document, colleague);
    expect(other.data).not.toEqual(own.data);
    expect(await ask(document)).toEqual(own);
    expect(outcomes).toEqual(['miss', 'miss', 'hit']);
  });

  test('with errors is not kept', async () => {
    const document = '{ a: features(first: 1) { nodes { name } } b: features(first: 100000) { nodes { name } } }';
    expect((await ask(document)).errors).toHaveLength(1);
    await ask(document);
    expect(outcomes).toEqual(['miss', 'miss']);
  });

  test('asked for by many at once is made once', async () => {
    const document = '{ features(first: 4) { nodes { name } } }';
    const statements = await countStatements(app, async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(document)));
      for (const answer of answers) expect(answer).toEqual(answers[0]);
    });
    expect(statements).toEqual(['list_features']);
    expect(outcomes.toSorted()).toEqual(['miss', ...Array.from({ length: 19 }, () => 'shared')]);
  });
});

describe('what the schema offers', () => {
  /** Of every kind that is kept: single objects, lists by every filter and order, nested lists, counts and aggregates. */
  const documents = () => {
    const id = (type: string) => JSON.stringify([...found.ids.get(type)!][0]);
    const range = '{ from: "2024-10-25T00:00:00Z", to: "2027-01-01T00:00:00Z" }';
    const feature = 'id name description status complexityPoints owner { name } createdAt updatedAt';
    const below = `testSummary { passed failed pending total } testCases(first: 5) { totalCount nodes { name status feature { name } } }
      failed: testCases(status: FAILED) { nodes { name } } deployments { totalCount nodes { version status finishedAt } }`;
    const message = 'role content createdAt author { name } conversation { title }';
    const talk = `title createdAt lastMessageAt user { name } sentiment { mean positive total } messages(last: 5) { totalCount nodes { ${message} } }`;
    const orders = ['CREATED_AT', 'UPDATED_AT', 'COMPLEXITY_POINTS', 'NAME'];
    return [
      `{ feature(id: ${id('Feature')}) { ${feature} ${below} } }`,
      ...orders.map(
        (field) =>
          `{ features(orderBy: { field: ${field}, direction: DESC }) { totalCount nodes { ${feature} ${below} } } }`,
      ),
      `{ features(filter: { status: DONE, nameContains: "${word}", createdAt: ${range} }, first: 2) { totalCount edges { cursor node { name } } } }`,
      `{ features(filter: { statusIn: [PLANNED, DONE], ownerId: ${id('User')} }) { totalCount nodes { name } } }`,
      `{ conversation(id: ${id('Conversation')}) { ${talk} } }`,
      `{ conversations { totalCount nodes { ${talk} } } }`,
      `{ conversations(filter: { userId: ${id('User')} }, orderBy: { field: LAST_MESSAGE_AT, direction: DESC }) { nodes { title lastMessageAt } } }`,
      '{ documents { totalCount nodes { title content uploadedBy { name } } } }',
      `{ site(id: ${id('Site')}) { name timeZone readings(range: ${range}, last: 3) { totalCount nodes { at loadMw } } } }`,
      '{ sites { totalCount nodes { name } } }',
      '{ viewer { name email isActive } }',
      ...['HOUR', 'DAY', 'WEEK', 'MONTH'].map(
        (interval) => `{ analytics(range: { from: "2024-10-25T00:00:00Z", to: "2024-10-28T00:00:00Z" }) {
          featureThroughput(interval: ${interval}) { at created completed complexityPoints }
          deployments(interval: ${interval}) { at succeeded failed successRate medianSeconds }
          conversationVolume(interval: ${interval}) { at conversations messages activeUsers }
          sentimentTrend(interval: ${interval}) { at mean negative neutral positive }
          energyDemand(siteId: ${id('Site')}, interval: ${interval}) { at mean min max } } }`,
      ),
      `{ analytics(range: ${range}) { conversationVolume(interval: MONTH) { conversations messages activeUsers } featureThroughput(interval: MONTH) { created completed } } }`,
    ];
  };

  /** What everybody may ask, those of the viewer's organization too. */
  const publicDocuments = () => {
    const organizationId = JSON.stringify([...found.ids.get('Organization')!][0]);
    const feature = 'id name description status updatedAt testSummary { passed failed pending total }';
    return [
      `{ publicFeatures(organizationId: ${organizationId}) { totalCount nodes { ${feature} } } }`,
      `{ publicFeatures(organizationId: ${organizationId}) { totalCount nodes { name } } }`,
      `{ publicFeatures(organizationId: ${organizationId}, status: DONE, last: 2) { edges { cursor node { name } } } }`,
      ...[...found.ids.get('Feature')!].map(
        (id) => `{ publicFeature(organizationId: ${organizationId}, id: "${id}") { ${feature} } }`,
      ),
    ];
  };

  test('is kept, unless a part of it may not be', async () => {
    for (const document of documents()) expect((await ask(document)).errors, document).toBeUndefined();
    outcomes = [];
    for (const document of documents()) await ask(document);
    expect(outcomes).toEqual(documents().map(() => 'hit'));
    outcomes = [];
    await ask('{ conversations(first: 1) { nodes { messages { nodes { sentiment { label } } } } } }');
    await ask('{ features(first: 1) { nodes { name } } models { name } }');
    expect(outcomes).toEqual([]);
  });

  // The oracle: whatever is changed, what comes out of the cache is what the database would say.
  test.each(mutations.map((mutation) => [mutation.label, mutation] as const))(
    'is answered as it is after %s',
    async (_label, mutation) => {
      const asked = documents();
      for (const document of [...asked, ...publicDocuments()]) await ask(document);
      const before = changes;
      await ask(printed(mutation));
      expect(changes).toBeGreaterThan(before);
      for (const document of asked) expect(await ask(document), document).toEqual(await askFresh(document));
      for (const document of publicDocuments()) {
        const expected = await askFresh(document, null);
        for (const as of [null, viewer]) expect(await ask(document, as), document).toEqual(expected);
      }
    },
  );
});
