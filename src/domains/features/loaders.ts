import { createLoader, createNestedLoader, createRowLoader } from '../../schema/loader.ts';
import {
  deploymentList,
  listDeploymentsByIds,
  listFeaturesByIds,
  listTestCasesByIds,
  listTestSummaries,
  type TestSummary,
  testCaseList,
} from './queries.ts';

export const featureById = createRowLoader(listFeaturesByIds);
export const testCaseById = createRowLoader(listTestCasesByIds);
export const deploymentById = createRowLoader(listDeploymentsByIds);
export const testCasesByFeatureId = createNestedLoader(testCaseList);
export const deploymentsByFeatureId = createNestedLoader(deploymentList);

const noTests: TestSummary = { passed: 0, failed: 0, pending: 0, skipped: 0, total: 0 };

export const testSummaryByFeatureId = createLoader<TestSummary>(async (database, organizationId, featureIds) => {
  const summaries = await listTestSummaries(database, organizationId, featureIds);
  const byFeature = new Map(summaries.map((summary) => [summary.featureId, summary]));
  return featureIds.map((featureId) => byFeature.get(featureId) ?? noTests);
});
