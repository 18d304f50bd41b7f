import type { Scenario } from '../suite/scenario.ts';
import { constantBytes, rawSql } from './limits.ts';

const bulkNames = Array.from({ length: 100 }, (_, index) => ({ name: `Bench of many ${index}` }));
const ownerOf = ({ facts }: { facts: { userId: string } }) => ({ ownerId: facts.userId });

export const mutation: Scenario = {
  name: 'mutation',
  server: 'cold',
  operation: () => ({
    query: 'mutation ($input: CreateFeatureInput!) { createFeature(input: $input) { feature { name status } } }',
    variables: { input: { name: 'Bench of one' } },
  }),
  limits: [constantBytes, rawSql('create-feature', (context) => ({ name: 'Bench of one', ...ownerOf(context) }))],
};

export const bulkMutation: Scenario = {
  name: 'bulk mutation of 100',
  server: 'cold',
  operation: () => ({
    query: 'mutation ($input: CreateFeaturesInput!) { createFeatures(input: $input) { features { name status } } }',
    variables: { input: { features: bulkNames } },
  }),
  limits: [
    constantBytes,
    rawSql('create-features', (context) => ({ rows: JSON.stringify(bulkNames), ...ownerOf(context) })),
  ],
};
