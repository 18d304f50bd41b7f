import {
  createJoinedRowLoader,
  createLoader,
  createNestedLoader,
  createPublicLoader,
  createRowLoader,
  loadRows,
} from '../../schema/loader.ts';
import { userById } from '../accounts/loaders.ts';
import { listPublicFeaturesByIds, listPublicTestSummaries } from './public-queries.ts';
import {
  deploymentList,
  type FeatureTestSummary,
  listDeploymentsByIds,
  listFeaturesByIds,
  listFeaturesWithOwnersByIds,
  listTestCasesByIds,
  listTestSummaries,
  type TestSummary,
  testCaseList,
} from './queries.ts';

export const featureById = createRowLoader(listFeaturesByIds);
/** featureById for who asks for the owner, too. */
export const featureWithOwnerById = createJoinedRowLoader(listFeaturesWithOwnersByIds, {
  row: featureById,
  referenced: userById,
});
export const testCaseById = createRowLoader(listTestCasesByIds);
export const deploymentById = createRowLoader(listDeploymentsByIds);
export const testCasesByFeatureId = createNestedLoader(testCaseList);
export const deploymentsByFeatureId = createNestedLoader(deploymentList);

const noTests: TestSummary = { passed: 0, failed: 0, pending: 0, skipped: 0, total: 0 };

export const testSummaryByFeatureId = createLoader<TestSummary>(async (database, organizationId, featureIds) => {
  return inOrderOf(featureIds, await listTestSummaries(database, organizationId, featureIds));
});

export const publicFeatureById = createPublicLoader(loadRows(listPublicFeaturesByIds));

export const publicTestSummaryByFeatureId = createPublicLoader<TestSummary>(async (database, organizationId, ids) => {
  return inOrderOf(ids, await listPublicTestSummaries(database, organizationId, ids));
});

function inOrderOf(featureIds: readonly string[], summaries: readonly FeatureTestSummary[]): TestSummary[] {
  const byFeature = new Map(summaries.map((summary) => [summary.featureId, summary]));
  return featureIds.map((featureId) => byFeature.get(featureId) ?? noTests);
}
