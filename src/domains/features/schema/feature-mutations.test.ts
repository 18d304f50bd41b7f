import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../../context.ts';
import { newId } from '../../../db/id.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import {
  createDeployments,
  createFeatures,
  createOrganization,
  createTestCases,
  createUser,
} from '../../../testing/seed-builders.ts';
import { digestTables } from '../../../testing/table-digest.ts';
import { countStatements, createTestApp, type TestApp } from '../../../testing/test-app.ts';

let app: TestApp;
let viewer: Viewer;
let viewerId: string;

beforeAll(async () => {
  app = await createTestApp();
});

beforeEach(async () => {
  viewer = await createOrganization(app.database.pool);
  viewerId = encodeGlobalId('User', viewer.userId);
});

afterAll(() => app.close());

const featureFields = 'id name description status complexityPoints owner { id } createdAt updatedAt';
const selections: Record<string, string> = {
  createFeature: `feature { ${featureFields} }`,
  createFeatures: `features { ${featureFields} }`,
  updateFeature: `feature { ${featureFields} }`,
  deleteFeature: 'deletedId',
  addTestCases: 'testCases { id name status feature { id } createdAt }',
  recordTestResults: 'testCases { id status }',
};

function mutate(field: string, input: Record<string, unknown>) {
  const type = `${field[0]!.toUpperCase()}${field.slice(1)}Input!`;
  const document = `mutation ($input: ${type}) { ${field}(input: $input) { ${selections[field]} } }`;
  return app.query(document, { input }, viewer);
}

/** What a mutation answers that must succeed. */
async function done(field: string, input: Record<string, unknown>) {
  const answer = await mutate(field, input);
  expect(answer.errors).toBeUndefined();
  return answer.data[field];
}

async function expectRefused(field: string, input: Record<string, unknown>, code: string, path: string): Promise<void> {
  const before = await digestTables(app.database.pool, viewer.organizationId);
  const answer = await mutate(field, input);
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code, issues: [{ path }] });
  expect(await digestTables(app.database.pool, viewer.organizationId)).toEqual(before);
}

async function findFeature(id: string) {
  const document = `query ($id: ID!) { feature(id: $id) { ${featureFields} testSummary { total } } }`;
  return (await app.query(document, { id }, viewer)).data.feature;
}

const idOf = (type: string, key: string) => encodeGlobalId(type, key);

describe('createFeature', () => {
  test('fills in what is left out, and can be read at once', async () => {
    const { feature } = await done('createFeature', { name: '  Fast search ' });
    expect(feature).toMatchObject({
      name: 'Fast search',
      description: '',
      status: 'PLANNED',
      complexityPoints: 1,
      owner: { id: viewerId },
      updatedAt: feature.createdAt,
    });
    expect(await findFeature(feature.id)).toMatchObject(feature);
  });

  test('takes all that is given', async () => {
    const ownerId = idOf('User', await createUser(app.database.pool, viewer.organizationId));
    const given = { name: 'A', description: 'two\nlines', status: 'IN_REVIEW', complexityPoints: 0 };
    const { feature } = await done('createFeature', { ...given, ownerId });
    expect(feature).toMatchObject({ ...given, owner: { id: ownerId } });
  });

  test('is the first of the list', async () => {
    await createFeatures(app.database.pool, viewer, [{ name: 'before' }]);
    const { feature } = await done('createFeature', { name: 'after' });
    const { data } = await app.query('{ features { totalCount nodes { id } } }', {}, viewer);
    expect(data.features).toMatchObject({ totalCount: 2, nodes: [{ id: feature.id }, {}] });
  });
});

describe('createFeatures', () => {
  test('creates all in one statement, in the order given', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `Feature ${99 - index}`);
    let answer: Awaited<ReturnType<typeof mutate>> | undefined;
    const statements = await countStatements(app, async () => {
      answer = await mutate('createFeatures', { features: names.map((name) => ({ name })) });
    });
    expect(answer?.data.createFeatures.features.map((feature: { name: string }) => feature.name)).toEqual(names);
    expect(statements.filter((name) => name !== 'listUsersByIds')).toEqual(['insertFeatures']);
  });

  test('takes equal ones, and each its own values', async () => {
    const same = { name: 'Same', status: 'DONE', complexityPoints: 3 };
    const { features } = await done('createFeatures', { features: [same, same, { name: 'Other' }] });
    expect(new Set(features.map(({ id }: { id: string }) => id)).size).toBe(3);
    expect(features).toMatchObject([same, same, { name: 'Other', status: 'PLANNED', complexityPoints: 1 }]);
  });

  test('creates none when one has an owner who is not there, and names it', async () => {
    const stranger = await createOrganization(app.database.pool);
    for (const key of [newId(), stranger.userId]) {
      const features = [{ name: 'a' }, { name: 'b' }, { name: 'c', ownerId: idOf('User', key) }];
      await expectRefused('createFeatures', { features }, 'NOT_FOUND', 'input.features.2.ownerId');
    }
  });

  test('creates none when one is wrong', async () => {
    const features = [{ name: 'a' }, { name: 'b', complexityPoints: 1001 }];
    await expectRefused('createFeatures', { features }, 'BAD_USER_INPUT', 'input.features.1.complexityPoints');
  });
});

describe('updateFeature', () => {
  test.each([
    ['name', 'New name'],
    ['description', 'New description'],
    ['description', ''],
    ['status', 'IN_PROGRESS'],
    ['complexityPoints', 0],
  ])('changes %s to %j and nothing else but updatedAt', async (name, value) => {
    const [row] = await createFeatures(app.database.pool, viewer, [{ description: 'old', complexityPoints: 7 }]);
    const before = await findFeature(idOf('Feature', row!.id));
    const { feature } = await done('updateFeature', { id: before.id, [name]: value });
    expect(feature).toEqual({ ...before, testSummary: undefined, [name]: value, updatedAt: feature.updatedAt });
    expect(feature.updatedAt > before.updatedAt).toBe(true);
    expect(await findFeature(before.id)).toMatchObject(feature);
  });

  test('changes several at once, the owner too', async () => {
    const [row] = await createFeatures(app.database.pool, viewer, [{}]);
    const ownerId = idOf('User', await createUser(app.database.pool, viewer.organizationId));
    const changes = { name: 'B', description: 'C', status: 'DONE', complexityPoints: 13 };
    const { feature } = await done('updateFeature', { id: idOf('Feature', row!.id), ...changes, ownerId });
    expect(feature).toMatchObject({ ...changes, owner: { id: ownerId } });
  });

  test('remembers when it was first done until it is no more', async () => {
    const [row] = await createFeatures(app.database.pool, viewer, [{}]);
    const completedAt = async (status: string) => {
      await done('updateFeature', { id: idOf('Feature', row!.id), status });
      const statement = { name: 'testCompletedAt', text: 'select completed_at as at from features where id = $1' };
      return (await app.database.pool.run<{ at: string | null }>(statement, [row!.id]))[0]!.at;
    };
    expect(await completedAt('IN_PROGRESS')).toBeNull();
    const first = await completedAt('DONE');
    expect(first).not.toBeNull();
    expect(await completedAt('DONE')).toBe(first);
    expect(await completedAt('IN_REVIEW')).toBeNull();
  });

  test('refuses a feature or an owner that is not there', async () => {
    const [row] = await createFeatures(app.database.pool, viewer, [{}]);
    const nobody = { id: idOf('Feature', row!.id), ownerId: idOf('User', newId()), name: 'x' };
    await expectRefused('updateFeature', nobody, 'NOT_FOUND', 'input.ownerId');
    await expectRefused('updateFeature', { id: idOf('Feature', newId()), name: 'x' }, 'NOT_FOUND', 'input.id');
    await expectRefused('updateFeature', { id: idOf('Feature', row!.id) }, 'BAD_USER_INPUT', 'input');
  });
});

describe('deleteFeature', () => {
  test('takes its test cases and deployments along, and nothing else', async () => {
    const [gone, kept] = await createFeatures(app.database.pool, viewer, [{}, {}]);
    for (const feature of [gone!, kept!]) {
      await createTestCases(app.database.pool, viewer, feature.id, 4);
      await createDeployments(app.database.pool, viewer, feature.id, 3);
    }
    const id = idOf('Feature', gone!.id);
    expect(await done('deleteFeature', { id })).toEqual({ deletedId: id });
    expect(await findFeature(id)).toBeNull();
    const { features, test_cases, deployments } = await digestTables(app.database.pool, viewer.organizationId);
    expect([features!.rows, test_cases!.rows, deployments!.rows]).toEqual([1, 4, 3]);
    expect(await findFeature(idOf('Feature', kept!.id))).toMatchObject({ testSummary: { total: 4 } });
    await expectRefused('deleteFeature', { id }, 'NOT_FOUND', 'input.id');
  });
});

describe('addTestCases', () => {
  test('adds all in one statement, in the order given, after those before', async () => {
    const [row] = await createFeatures(app.database.pool, viewer, [{}]);
    const featureId = idOf('Feature', row!.id);
    await done('addTestCases', { featureId, testCases: [{ name: 'first' }] });
    const given = [{ name: 'second', status: 'PASSED' }, { name: 'third' }, { name: 'second' }];
    let testCases: { name: string; status: string; feature: { id: string } }[] = [];
    const statements = await countStatements(app, async () => {
      ({ testCases } = await done('addTestCases', { featureId, testCases: given }));
    });
    expect(statements).toEqual(['insertTestCases', 'listFeaturesByIds']);
    const statuses = ['PASSED', 'PENDING', 'PENDING'];
    const expected = given.map(({ name }, index) => ({ name, status: statuses[index], feature: { id: featureId } }));
    expect(testCases).toMatchObject(expected);
    const document =
      'query ($id: ID!) { feature(id: $id) { testCases { nodes { name } } testSummary { passed pending total } } }';
    const { feature } = (await app.query(document, { id: featureId }, viewer)).data;
    expect(feature.testCases.nodes.map(({ name }: { name: string }) => name)).toEqual([
      'first',
      'second',
      'third',
      'second',
    ]);
    expect(feature.testSummary).toEqual({ passed: 1, pending: 3, total: 4 });
  });

  test('refuses a feature that is not there', async () => {
    const testCases = [{ name: 'x' }];
    await expectRefused(
      'addTestCases',
      { featureId: idOf('Feature', newId()), testCases },
      'NOT_FOUND',
      'input.featureId',
    );
  });
});

describe('recordTestResults', () => {
  async function createTests(count: number): Promise<string[]> {
    const [row] = await createFeatures(app.database.pool, viewer, [{}]);
    const rows = await createTestCases(app.database.pool, viewer, row!.id, count);
    return rows.map(({ id }) => idOf('TestCase', id));
  }

  test('sets all in one statement, in the order given, and leaves the others', async () => {
    const [first, second, third] = await createTests(3);
    const results = [
      { testCaseId: third, status: 'SKIPPED' },
      { testCaseId: first, status: 'FAILED' },
    ];
    let testCases: unknown;
    const statements = await countStatements(app, async () => {
      ({ testCases } = await done('recordTestResults', { results }));
    });
    expect(statements).toEqual(['updateTestResults']);
    expect(testCases).toEqual([
      { id: third, status: 'SKIPPED' },
      { id: first, status: 'FAILED' },
    ]);
    const { data } = await app.query(
      'query ($id: ID!) { node(id: $id) { ... on TestCase { status } } }',
      { id: second },
      viewer,
    );
    expect(data.node).toEqual({ status: 'FAILED' });
  });

  test('in opposite orders at the same time do not wait for each other in a circle', async () => {
    const results = (await createTests(500)).map((testCaseId) => ({ testCaseId, status: 'SKIPPED' }));
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        mutate('recordTestResults', { results: index % 2 === 0 ? results : results.toReversed() }),
      ),
    );
    expect(answers.flatMap(({ errors = [] }) => errors)).toEqual([]);
  });

  test('sets none when one is not there, and names it', async () => {
    const [known] = await createTests(1);
    const results = [
      { testCaseId: known, status: 'SKIPPED' },
      { testCaseId: idOf('TestCase', newId()), status: 'FAILED' },
    ];
    await expectRefused('recordTestResults', { results }, 'NOT_FOUND', 'input.results.1.testCaseId');
  });
});
