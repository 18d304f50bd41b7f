import { builder } from '../../../schema/builder.ts';
import { nestedList, type PageArguments } from '../../../schema/connection.ts';
import { parseUuid } from '../../../schema/global-id.ts';
import { loaded, reference } from '../../../schema/loaded-field.ts';
import { userById } from '../../accounts/loaders.ts';
import { UserRef } from '../../accounts/schema.ts';
import { deploymentsByFeatureId, featureById, testCasesByFeatureId, testSummaryByFeatureId } from '../loaders.ts';
import type { Deployment, Feature, TestCase } from '../tables.ts';
import {
  DeploymentConnection,
  Environment,
  FeatureRef,
  FeatureStatus,
  TestCaseConnection,
  TestStatus,
  TestSummaryRef,
} from './types.ts';

builder.node(FeatureRef, {
  description: 'A piece of a product: planned, built, tested and deployed.',
  id: { resolve: (feature) => feature.id, parse: parseUuid },
  loadWithoutCache: (id, context) => featureById(context).load(id),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What it is called.' }),
    description: t.exposeString('description', { description: 'What it is to do.' }),
    status: t.expose('status', { type: FeatureStatus, description: 'Where it stands.' }),
    complexityPoints: t.exposeInt('complexityPoints', { description: 'How much work it is, 0 to 1000.' }),
    owner: t.field({
      type: UserRef,
      description: 'Who answers for it.',
      ...reference(userById, (feature: Feature) => feature.ownerId),
    }),
    isPublic: t.exposeBoolean('isPublic', { description: 'Whether everybody may see it, as a PublicFeature.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was written down.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
    testSummary: t.field({
      type: TestSummaryRef,
      cost: 2,
      description: 'How its test cases stand.',
      ...loaded(testSummaryByFeatureId, (feature: Feature) => feature.id),
    }),
  }),
});

builder.objectField(FeatureRef, 'testCases', (t) =>
  t.field({
    type: TestCaseConnection,
    description: 'Its test cases, first added first.',
    args: {
      status: t.arg({ type: TestStatus, description: 'Only those of this status.' }),
      ...t.arg.connectionArgs(),
    },
    ...nestedList(
      testCasesByFeatureId,
      (feature: Feature) => feature.id,
      ({ status, ...paging }: PageArguments & { status?: TestCase['status'] | null | undefined }) => ({
        paging,
        order: { order: 'CREATED_AT', direction: 'ASC' },
        filters: status ? { status: { status } } : {},
      }),
    ),
  }),
);

builder.objectField(FeatureRef, 'deployments', (t) =>
  t.field({
    type: DeploymentConnection,
    description: 'Its deployments, latest first.',
    args: {
      environment: t.arg({ type: Environment, description: 'Only those to this environment.' }),
      ...t.arg.connectionArgs(),
    },
    ...nestedList(
      deploymentsByFeatureId,
      (feature: Feature) => feature.id,
      ({ environment, ...paging }: PageArguments & { environment?: Deployment['environment'] | null | undefined }) => ({
        paging,
        order: { order: 'CREATED_AT', direction: 'DESC' },
        filters: environment ? { environment: { environment } } : {},
      }),
    ),
  }),
);
