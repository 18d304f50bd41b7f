import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerCache } from '../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../cache/invalidation-log.ts';
import type { Outcome } from '../cache/operation-record.ts';
import type { Viewer } from '../context.ts';
import type { Feature } from '../domains/features/tables.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import { createFeatures, createOrganization, createTestCases } from '../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp, viewerHeader } from '../testing/test-app.ts';

let app: TestApp;
let owner: Viewer;
let stranger: Viewer;
let shown: Feature;
let hidden: Feature;
let outcomes: Outcome[] = [];

beforeAll(async () => {
  app = await createTestApp({
    cache: new AnswerCache({
      openLog: createLocalInvalidationLog,
      maxBytes: 2 ** 24,
      onOutcome: (outcome) => outcomes.push(outcome),
    }),
  });
  owner = app.viewer;
  stranger = await createOrganization(app.database.pool);
});

beforeEach(async () => {
  const features = await createFeatures(app.database.pool, owner, [
    { name: 'Shown', isPublic: true },
    { name: 'Hidden' },
  ]);
  [shown, hidden] = features as [Feature, Feature];
  outcomes = [];
});

afterAll(() => app.close());

const list = () =>
  `{ publicFeatures(organizationId: "${encodeGlobalId('Organization', owner.organizationId)}") { totalCount nodes { id name testSummary { passed total } } } }`;
const one = ({ id }: Feature) =>
  `{ publicFeature(organizationId: "${encodeGlobalId('Organization', owner.organizationId)}", id: "${encodeGlobalId('Feature', id)}") { name testSummary { passed total } } }`;

async function ask(document: string, as: Viewer | null = null) {
  const { data, errors } = await app.query(document, {}, as);
  expect(errors).toBeUndefined();
  return data;
}

/** What is answered to these once a write was answered: from the cache, or made anew. */
async function outcomesAfter(write: () => Promise<unknown>, ...documents: string[]): Promise<Outcome[]> {
  for (const document of documents) await ask(document);
  await write();
  outcomes = [];
  for (const document of documents) await ask(document);
  return outcomes;
}

const update = (feature: Feature, change: string) => () =>
  ask(
    `mutation { updateFeature(input: { id: "${encodeGlobalId('Feature', feature.id)}", ${change} }) { feature { id } } }`,
    owner,
  );

describe('the answer to what is public', () => {
  test('is one for everybody', async () => {
    const first = await ask(list());
    expect(first.publicFeatures.nodes).toContainEqual(expect.objectContaining({ name: 'Shown' }));
    const statements = await countStatements(app, async () => {
      for (const as of [null, stranger, owner, { ...owner, scopes: [] }]) expect(await ask(list(), as)).toEqual(first);
    });
    expect(statements).toEqual([]);
    expect(outcomes).toEqual(['miss', 'hit', 'hit', 'hit', 'hit']);
  });

  test('is the viewer’s own where something of the viewer is in it', async () => {
    const mixed = list().replace('{ publicFeatures', '{ viewer { id } publicFeatures');
    const own = await ask(mixed, owner);
    const other = await ask(mixed, stranger);
    expect(own.viewer).not.toEqual(other.viewer);
    expect(await ask(mixed, owner)).toEqual(own);
    expect((await ask(mixed, null)).viewer).toBeNull();
    expect(outcomes).toEqual(['miss', 'miss', 'hit']);
  });

  test('may be kept by those in between for an hour, unless something of the viewer is in it', async () => {
    const get = async (document: string) => {
      const url = `/graphql?${new URLSearchParams({ query: document })}`;
      const { headers } = await app.fetch(url, {
        headers: { [viewerHeader]: JSON.stringify(owner), accept: 'application/json' },
      });
      return headers.get('cache-control');
    };
    const [, seconds] = /^public, max-age=0, s-maxage=(\d+), /.exec((await get(list())) ?? '') ?? [];
    expect(Number(seconds)).toBeGreaterThan(3_000);
    expect(Number(seconds)).toBeLessThanOrEqual(3_600);
    const [, unknownSeconds] = /s-maxage=(\d+), /.exec((await get(one({ ...shown, id: owner.userId }))) ?? '') ?? [];
    expect(Number(unknownSeconds)).toBeGreaterThan(40);
    expect(Number(unknownSeconds)).toBeLessThanOrEqual(60);
    expect(await get(list().replace('{ publicFeatures', '{ viewer { id } publicFeatures'))).toBe('private, no-cache');
  });

  test('is made anew when something public changes, and only then', async () => {
    const both = [list(), one(shown)];
    expect(await outcomesAfter(update(shown, 'name: "Renamed"'), ...both)).toEqual(['miss', 'miss']);
    expect(await outcomesAfter(update(hidden, 'name: "Renamed"'), ...both)).toEqual(['hit', 'hit']);
    const another = () => createFeatures(app.database.pool, owner, [{ name: 'Another' }]);
    expect(await outcomesAfter(another, ...both)).toEqual(['hit', 'hit']);
    const others = () => createFeatures(app.database.pool, stranger, [{ name: 'Theirs', isPublic: true }]);
    expect(await outcomesAfter(others, ...both)).toEqual(['hit', 'hit']);
    expect(await outcomesAfter(update(hidden, 'isPublic: true'), ...both)).toEqual(['miss', 'hit']);
    expect(await outcomesAfter(update(hidden, 'isPublic: false'), ...both)).toEqual(['miss', 'hit']);
  });

  test('holds what was hidden or deleted no longer, and what was shown at once', async () => {
    // Nothing but the list itself: what it shows of each is known by its id, too.
    const plain = list().replace(/testSummary \{.*?\}/, '');
    const names = async () => (await ask(plain)).publicFeatures.nodes.map(({ name }: { name: string }) => name);
    await names();
    await ask(one(hidden));
    await update(hidden, 'isPublic: true, name: "No longer hidden"')();
    expect(await names()).toContain('No longer hidden');
    expect(await ask(one(hidden))).toMatchObject({ publicFeature: { name: 'No longer hidden' } });
    await update(hidden, 'isPublic: false')();
    expect(await names()).not.toContain('No longer hidden');
    expect(await ask(one(hidden))).toEqual({ publicFeature: null });
    const count = (await names()).length;
    await ask(one(shown));
    const id = encodeGlobalId('Feature', shown.id);
    await ask(`mutation { deleteFeature(input: { id: "${id}" }) { deletedId } }`, owner);
    expect(await names()).toHaveLength(count - 1);
    expect(await ask(one(shown))).toEqual({ publicFeature: null });
  });

  test('follows the tests of what it shows', async () => {
    const tests = await createTestCases(app.database.pool, owner, shown.id, 2);
    const results = tests.map((each) => `{ testCaseId: "${encodeGlobalId('TestCase', each.id)}", status: PASSED }`);
    const record = () =>
      ask(`mutation { recordTestResults(input: { results: [${results}] }) { testCases { id } } }`, owner);
    expect(await ask(one(shown))).toMatchObject({ publicFeature: { testSummary: { passed: 1, total: 2 } } });
    expect(await outcomesAfter(record, list(), one(shown))).toEqual(['miss', 'miss']);
    expect(await ask(one(shown))).toMatchObject({ publicFeature: { testSummary: { passed: 2, total: 2 } } });
    const ofHidden = () => createTestCases(app.database.pool, owner, hidden.id, 2);
    expect(await outcomesAfter(ofHidden, list(), one(shown))).toEqual(['hit', 'hit']);
  });
});
