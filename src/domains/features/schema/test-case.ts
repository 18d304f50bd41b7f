import { builder } from '../../../schema/builder.ts';
import { parseUuid } from '../../../schema/global-id.ts';
import { loadReferenced } from '../../../schema/loader.ts';
import { featureById, testCaseById } from '../loaders.ts';
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
      resolve: (testCase, _args, context) => loadReferenced(featureById(context), testCase.featureId),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was added.' }),
  }),
});
