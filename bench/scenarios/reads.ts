import type { QueryKey } from '../four-queries.ts';
import type { Facts, Scenario } from '../suite/scenario.ts';
import {
  constantBytes,
  flatStatements,
  oneStatement,
  ownLimit,
  rawEmbedding,
  rawForecast,
  rawSentiment,
  rawSql,
} from './limits.ts';

const cpuBudgets: Readonly<Record<QueryKey, string>> = {
  features: 'cpu-features-page',
  conversations: 'cpu-conversations-page',
  feature: 'cpu-feature-by-id',
  'deep-page': 'cpu-deep-page',
};
const names: Readonly<Record<QueryKey, string>> = {
  features: 'features page',
  conversations: 'conversations page',
  feature: 'one feature',
  'deep-page': 'deep page',
};
const keys = Object.keys(names) as QueryKey[];

export const fourQueriesCold: readonly Scenario[] = keys.map((key) => ({
  name: `${names[key]}, cold`,
  server: 'cold',
  operation: ({ queries }) => queries[key],
  limits: [constantBytes, oneStatement(key), flatStatements(key)],
  cpuBudget: cpuBudgets[key],
}));

export const fourQueriesCached: readonly Scenario[] = keys.map((key) => ({
  name: `${names[key]}, cached`,
  server: 'cached',
  operation: ({ queries }) => queries[key],
  limits: [constantBytes],
}));

const firstPage = ({ lastPage: { query } }: Facts) => ({ query, variables: { after: null } });
const question = 'how long does a refund take';
const search = (mode: string) => () => ({
  query: `query ($query: String!) {
    searchDocuments(query: $query, mode: ${mode}) { document { id title } score excerpt } }`,
  variables: { query: question },
});

/** The sentiment of 200 messages. */
export const pageWithSentiment: Scenario = {
  name: 'page with sentiment',
  server: 'cold',
  operation: () => ({
    query: `{ conversations(first: 20) { nodes { id messages(first: 10) { nodes { id content sentiment { label score } } } } } }`,
    variables: {},
  }),
  limits: [constantBytes, rawSentiment],
  // More would be 48,000 texts at a time.
  maxConnections: 32,
};

/** One row of the model. */
export const forecast: Scenario = {
  name: 'forecast',
  server: 'cold',
  operation: ({ siteId }) => ({
    query: 'query ($id: ID!) { forecast(siteId: $id, horizon: 24) { issuedAt points { at p10 p50 p90 } } }',
    variables: { id: siteId },
  }),
  limits: [constantBytes, rawForecast],
};

export const otherReads: readonly Scenario[] = [
  {
    name: 'last page',
    server: 'cold',
    operation: ({ lastPage }) => lastPage,
    limits: [ownLimit('first page', firstPage), flatStatements('deep-page')],
  },
  pageWithSentiment,
  forecast,
  {
    name: 'keyword search',
    server: 'cold',
    operation: search('KEYWORD'),
    limits: [constantBytes, rawSql('keyword-search')],
  },
  {
    name: 'hybrid search',
    server: 'cold',
    operation: search('HYBRID'),
    limits: [constantBytes, rawEmbedding],
  },
];
