import { builder } from '../../../schema/builder.ts';
import { parseUuid } from '../../../schema/global-id.ts';
import { reference } from '../../../schema/loaded-field.ts';
import { featureById, testCaseById } from '../loaders.ts';
import type { TestCase } from '../tables.ts';
import { FeatureRef, TestCaseRef, TestStatus } from './types.ts';

builder.node(TestCaseRef, {
  description: 'One check that a feature must hold.',
  id: { resolve: (testCase) => testCase.id, parse: parseUuid },
  loadWithoutCache: (id, context) => testCaseById(context).load(id),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What is checked.' }),
    status: t.expose('status', { type: TestStatus, description: 'What its last run gave.' }),
    feature: t.field({
      type: FeatureRef,
      description: 'The feature it belongs to.',
      ...reference(featureById, (testCase: TestCase) => testCase.featureId),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was added.' }),
  }),
});
