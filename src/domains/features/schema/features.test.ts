import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createDeployments,
  createFeatures,
  createOrganization,
  createTestCases,
} from '../../../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp } from '../../../testing/test-app.ts';

let app: TestApp;

beforeAll(async () => {
  app = await createTestApp();
  const features = await createFeatures(
    app.database.pool,
    app.viewer,
    Array.from({ length: 120 }, (_, index) => ({ name: `Feature ${index}`, status: 'IN_PROGRESS' })),
  );
  for (const feature of features) {
    await createTestCases(app.database.pool, app.viewer, feature.id, 7);
    await createDeployments(app.database.pool, app.viewer, feature.id, 4);
  }
});

afterAll(() => app.close());

const pageOfFeatures = `query ($first: Int!) {
  features(filter: { status: IN_PROGRESS }, first: $first) {
    totalCount
    nodes {
      name owner { name } testSummary { passed failed pending total }
      testCases(first: 5) { totalCount nodes { name status } pageInfo { hasNextPage } }
      deployments(first: 3) { nodes { version environment } }
    }
  }
}`;

describe('a page of features', () => {
  test.each([1, 10, 100])('runs the same statements for first: %i', async (first) => {
    let answer: Awaited<ReturnType<TestApp['query']>> | undefined;
    const statements = await countStatements(app, async () => {
      answer = await app.query(pageOfFeatures, { first });
    });
    expect(answer?.errors).toBeUndefined();
    expect(answer?.data.features.nodes).toHaveLength(first);
    expect(answer?.data.features.nodes[0].testCases).toMatchObject({ totalCount: 7, pageInfo: { hasNextPage: true } });
    expect(answer?.data.features.nodes[0].testSummary).toEqual({ passed: 2, failed: 2, pending: 2, total: 7 });
    expect(statements.sort()).toEqual(
      [
        'count_features',
        'count_test_cases',
        'list_deployments',
        'list_features',
        'list_test_cases',
        'listTestSummariesByFeatureId',
        'listUsersByIds',
      ].sort(),
    );
  });
});

describe('a feature', () => {
  let id: string;
  let ofFeature: { name: string; owner: { name: string } };

  beforeAll(async () => {
    const { data } = await app.query('{ features(first: 1) { nodes { id name owner { name } } } }');
    const [{ name, owner }] = data.features.nodes;
    id = data.features.nodes[0].id;
    ofFeature = { name, owner };
  });

  async function ask(document: string): Promise<{ data: Record<string, unknown>; statements: string[] }> {
    let answer: Awaited<ReturnType<TestApp['query']>> | undefined;
    const statements = await countStatements(app, async () => {
      answer = await app.query(document, { id });
    });
    return { data: answer!.data, statements };
  }

  const together = ['listFeaturesWithOwnersByIds'];

  test.each([
    ['with its owner', 'query ($id: ID!) { feature(id: $id) { name owner { name } } }'],
    [
      'with its owner by fragments',
      'query ($id: ID!) { feature(id: $id) { ...A ... on Feature { name } } } fragment A on Feature { ...B } fragment B on Feature { owner { name } }',
    ],
    [
      'with its owner by one of two selections',
      'query ($id: ID!) { feature(id: $id) { name } feature(id: $id) { owner { name } } }',
    ],
  ])('costs one statement %s', async (_label, document) => {
    const { data, statements } = await ask(document);
    expect(data.feature).toEqual(ofFeature);
    expect(statements).toEqual(together);
  });

  test('costs one statement with its owner, however far below it is asked for again', async () => {
    const { data, statements } = await ask(
      'query ($id: ID!) { feature(id: $id) { owner { name } testCases(first: 1) { nodes { feature { name owner { name } } } } } }',
    );
    expect(data.feature).toEqual({ owner: ofFeature.owner, testCases: { nodes: [{ feature: ofFeature }] } });
    expect(statements).toEqual([...together, 'list_test_cases']);
  });

  test('is read alone without its owner', async () => {
    const { data, statements } = await ask('query ($id: ID!) { feature(id: $id) { name } }');
    expect(data.feature).toEqual({ name: ofFeature.name });
    expect(statements).toEqual(['listFeaturesByIds']);
  });

  test('of another organization is none, with its owner or without', async () => {
    const stranger = await createOrganization(app.database.pool);
    for (const selection of ['name', 'name owner { name }']) {
      const answer = await app.query(`query ($id: ID!) { feature(id: $id) { ${selection} } }`, { id }, stranger);
      expect(answer.data).toEqual({ feature: null });
    }
  });
});

describe('100 features at a deep cursor', () => {
  const page = `query ($after: String) {
    features(first: 100, after: $after, orderBy: { field: NAME, direction: ASC }) {
      nodes { name status createdAt } pageInfo { endCursor hasNextPage hasPreviousPage }
    }
  }`;

  test('cost one statement, without a count or a summary nobody asked for', async () => {
    const first = await app.query(page);
    const { endCursor } = first.data.features.pageInfo;
    let answer: Awaited<ReturnType<TestApp['query']>> | undefined;
    const statements = await countStatements(app, async () => {
      answer = await app.query(page, { after: endCursor });
    });
    expect(statements).toEqual(['list_features']);
    expect(answer?.data.features.nodes).toHaveLength(20);
    expect(answer?.data.features.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    const names = [...first.data.features.nodes, ...answer!.data.features.nodes].map(({ name }) => name);
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).toHaveLength(120);
  });

  test('cost one statement for the count, which runs alone when only it is asked for', async () => {
    const onlyCount = await countStatements(app, () => app.query('{ features(first: 100) { totalCount } }'));
    expect(onlyCount).toEqual(['count_features']);
    const document = '{ features(first: 100) { totalCount edges { cursor } nodes { id } pageInfo { endCursor } } }';
    const withPage = await countStatements(app, () => app.query(document));
    expect(withPage.sort()).toEqual(['count_features', 'list_features']);
  });

  test('cost one statement for all summaries', async () => {
    const document = '{ features(first: 100) { nodes { testSummary { total } testCases(first: 1) { totalCount } } } }';
    const withSummaries = await countStatements(app, () => app.query(document));
    expect(withSummaries.sort()).toEqual(['count_test_cases', 'listTestSummariesByFeatureId', 'list_features']);
  });
});
