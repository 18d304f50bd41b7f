import { expect, test } from 'vitest';
import { encodeGlobalId } from '../schema/global-id.ts';
import { riverbank } from '../seed/organizations.ts';
import { exampleOperations } from './example-operations.ts';

test('the roadmap among the examples is that of the demo organization', () => {
  const roadmap = exampleOperations(new Date()).find(({ name }) => name === 'PublicRoadmap');
  expect(roadmap?.query).toContain(`"${encodeGlobalId('Organization', riverbank.id)}"`);
});
