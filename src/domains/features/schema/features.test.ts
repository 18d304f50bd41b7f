import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDeployments, createFeatures, createTestCases } from '../../../testing/seed-builders.ts';
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
