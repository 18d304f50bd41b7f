import { builder } from '../../../schema/builder.ts';
import { connectionType } from '../../../schema/connection.ts';
import type { TestSummary } from '../queries.ts';
import type { Deployment, Feature, TestCase } from '../tables.ts';

export const FeatureStatus = builder.enumType('FeatureStatus', {
  description: 'Where a feature stands.',
  values: {
    PLANNED: { description: 'Nobody works on it yet.' },
    IN_PROGRESS: { description: 'Being built.' },
    IN_REVIEW: { description: 'Built, being checked.' },
    DONE: { description: 'Finished.' },
    CANCELLED: { description: 'Given up.' },
  },
});

export const TestStatus = builder.enumType('TestStatus', {
  description: 'What the last run of a test case gave.',
  values: {
    PENDING: { description: 'Not run yet.' },
    PASSED: { description: 'Ran and held.' },
    FAILED: { description: 'Ran and did not hold.' },
    SKIPPED: { description: 'Left out on purpose.' },
  },
});

export const Environment = builder.enumType('Environment', {
  description: 'Where a deployment runs.',
  values: {
    DEVELOPMENT: { description: 'For its developers.' },
    STAGING: { description: 'For trying a release.' },
    PRODUCTION: { description: 'For its users.' },
  },
});

export const DeploymentStatus = builder.enumType('DeploymentStatus', {
  description: 'How far a deployment is.',
  values: {
    PENDING: { description: 'Waits to be started.' },
    RUNNING: { description: 'Under way.' },
    SUCCEEDED: { description: 'Finished and serving.' },
    FAILED: { description: 'Did not come up.' },
    ROLLED_BACK: { description: 'Taken back after it was up.' },
  },
});

export const FeatureRef = builder.objectRef<Feature>('Feature');
export const TestCaseRef = builder.objectRef<TestCase>('TestCase');
export const DeploymentRef = builder.objectRef<Deployment>('Deployment');

export const FeatureConnection = connectionType('Feature', FeatureRef, 'features');
export const TestCaseConnection = connectionType('TestCase', TestCaseRef, 'test cases');
export const DeploymentConnection = connectionType('Deployment', DeploymentRef, 'deployments');

export const TestSummaryRef = builder.objectRef<TestSummary>('TestSummary').implement({
  description: 'How many test cases of a feature stand how.',
  fields: (t) => ({
    passed: t.exposeInt('passed', { description: 'Ran and held.' }),
    failed: t.exposeInt('failed', { description: 'Ran and did not hold.' }),
    pending: t.exposeInt('pending', { description: 'Not run yet.' }),
    skipped: t.exposeInt('skipped', { description: 'Left out on purpose.' }),
    total: t.exposeInt('total', { description: 'All of them.' }),
  }),
});
