/**
 * What has to be executed: the four queries by which servers of this kind are compared, single look-ups, searches, and
 * few writes, with variables that hardly ever come twice. Reads know their right answers.
 */
import { createRandom, type Random } from '../../src/seed/random.ts';
import type { MixRequest } from '../cached-mix/mix.ts';
import { type KnownConversation, type KnownFeature, type KnownTenant, walkDocuments } from './known-objects.ts';

/** Names are those of the manifest, and say what is asked. */
const documents = {
  FeatureById:
    'query FeatureById($id: ID!) { feature(id: $id) { id name description status createdAt owner { id name email } } }',
  ConversationById:
    'query ConversationById($id: ID!) { conversation(id: $id) { id title createdAt user { id name } } }',
  TestCaseById: 'query TestCaseById($id: ID!) { node(id: $id) { id ... on TestCase { name status feature { id } } } }',
  FeaturePage: `query FeaturePage($after: String) { features(first: 20, after: $after) { nodes { id name status createdAt owner { id name }
    testCases(first: 5) { nodes { id name status } } deployments(first: 3) { nodes { id version status createdAt } } } } }`,
  ConversationPage: `query ConversationPage($after: String) { conversations(first: 20, after: $after) { nodes { id title createdAt
    user { id name } messages(first: 10) { nodes { id role content createdAt author { id name } } } } } }`,
  DeepPage: `query DeepPage($after: String) { features(first: 100, after: $after) {
    nodes { id name status complexityPoints createdAt } pageInfo { endCursor } } }`,
  FeatureSearch:
    'query FeatureSearch($text: String!) { features(first: 10, filter: { nameContains: $text }) { nodes { id name } } }',
  DocumentSearch:
    'query DocumentSearch($query: String!, $mode: SearchMode!) { searchDocuments(query: $query, mode: $mode, first: 5) { document { id title } score excerpt } }',
  RecordResults:
    'mutation RecordResults($input: RecordTestResultsInput!) { recordTestResults(input: $input) { testCases { id status } } }',
  UpdateFeature:
    'mutation UpdateFeature($input: UpdateFeatureInput!) { updateFeature(input: $input) { feature { id name updatedAt } } }',
  SendMessage:
    'mutation SendMessage($input: SendMessageInput!) { sendMessage(input: $input) { message { id createdAt } } }',
} as const;

const weights = {
  featureById: 40,
  conversationById: 10,
  testCaseById: 10,
  featurePage: 12,
  conversationPage: 6,
  deepPage: 6,
  featureSearch: 5,
  keywordSearch: 3,
  hybridSearch: 1,
  recordResults: 4,
  updateFeature: 2,
  sendMessage: 0.8,
  recordManyResults: 0.2,
} as const;
type Kind = keyof typeof weights;

const manyResults = 100;

/** By id, as a manifest of trusted documents has them. */
export function uncachedManifest(): Record<string, string> {
  return { ...documents, ...walkDocuments };
}

/** Requests without an end, the same ones for the same seed. */
export function createUncachedMix(tenants: readonly KnownTenant[], seed: string): () => MixRequest {
  const random = createRandom(seed);
  return () => {
    const known = random.pick(tenants);
    const ask = asks[random.weighted(weights)](known, random);
    return {
      kind: ask.kind ?? 'standard',
      method: 'POST',
      path: '/graphql',
      body: JSON.stringify({ documentId: ask.document, variables: ask.variables }),
      token: random.pick(known.tenant.tokens),
      ...(ask.check && { check: ask.check }),
    };
  };
}

interface Ask {
  readonly document: keyof typeof documents;
  readonly variables: object;
  /** Default: standard. */
  readonly kind?: MixRequest['kind'];
  readonly check?: (data: unknown) => boolean;
}

const asks: Record<Kind, (known: KnownTenant, random: Random) => Ask> = {
  featureById({ features }, random) {
    const { id, name, owner } = random.pick(features.items);
    return {
      kind: 'critical',
      document: 'FeatureById',
      variables: { id },
      check: (data) => isSame((data as { feature: object }).feature, { id, name, owner: { name: owner } }),
    };
  },
  conversationById({ conversations }, random) {
    const { id, title, user } = random.pick(conversations.items);
    return {
      kind: 'critical',
      document: 'ConversationById',
      variables: { id },
      check: (data) => isSame((data as { conversation: object }).conversation, { id, title, user: { name: user } }),
    };
  },
  testCaseById({ testCases }, random) {
    const { id, name, featureId } = random.pick(testCases);
    return {
      kind: 'critical',
      document: 'TestCaseById',
      variables: { id },
      check: (data) => isSame((data as { node: object }).node, { id, name, feature: { id: featureId } }),
    };
  },
  featurePage({ features: { items, cursors } }, random) {
    const place = random.integer(0, cursors.length - 1);
    const nodes = () => items.slice(place + 1, place + 21).map(describeFeature);
    return {
      document: 'FeaturePage',
      variables: { after: cursors[place] },
      check: (data) => isSame(data, { features: { nodes: nodes() } }),
    };
  },
  conversationPage({ conversations: { items, cursors } }, random) {
    const place = random.integer(0, cursors.length - 1);
    const nodes = () => items.slice(place + 1, place + 21).map(describeConversation);
    return {
      document: 'ConversationPage',
      variables: { after: cursors[place] },
      check: (data) => isSame(data, { conversations: { nodes: nodes() } }),
    };
  },
  deepPage({ features: { items, cursors } }, random) {
    const place = random.integer(0, cursors.length - 101);
    const nodes = () => items.slice(place + 1, place + 101).map(({ id, name }) => ({ id, name }));
    return {
      document: 'DeepPage',
      variables: { after: cursors[place] },
      check: (data) => isSame(data, { features: { nodes: nodes(), pageInfo: { endCursor: cursors[place + 100] } } }),
    };
  },
  featureSearch({ features: { items } }, random) {
    const text = random.pick(items).name.toLowerCase();
    const nodes = () =>
      items.filter(({ name }) => name.toLowerCase().includes(text)).map(({ id, name }) => ({ id, name }));
    return {
      document: 'FeatureSearch',
      variables: { text },
      check: (data) => isSame(data, { features: { nodes: nodes().slice(0, 10) } }),
    };
  },
  keywordSearch: (known, random) => documentSearch(known, random, 'KEYWORD'),
  hybridSearch: (known, random) => documentSearch(known, random, 'HYBRID'),
  recordResults: ({ tenant }, random) => recordResults(tenant.testCases, random, 1),
  updateFeature: ({ tenant }, random) => ({
    document: 'UpdateFeature',
    variables: { input: { id: random.pick(tenant.features), complexityPoints: random.integer(1, 13) } },
  }),
  sendMessage: ({ tenant }, random) => ({
    document: 'SendMessage',
    variables: { input: { conversationId: random.pick(tenant.conversations), content: 'And what about now?' } },
  }),
  recordManyResults: ({ tenant }, random) => ({
    ...recordResults(tenant.testCases, random, manyResults),
    kind: 'bulk',
  }),
};

function describeFeature({ id, name, owner, testCases, deployments }: KnownFeature) {
  return {
    id,
    name,
    owner: { name: owner },
    testCases: nodesOf(testCases.slice(0, 5)),
    deployments: nodesOf(deployments.slice(0, 3)),
  };
}

function describeConversation({ id, title, user, messages }: KnownConversation) {
  return { id, title, user: { name: user }, messages: nodesOf(messages) };
}

function documentSearch({ documents: titles }: KnownTenant, random: Random, mode: string): Ask {
  const place = random.integer(0, titles.length - 1);
  return {
    document: 'DocumentSearch',
    variables: { query: `topic${place + 1} ${random.pick(['guide', 'steps'])}`, mode },
    check: (data) =>
      (data as { searchDocuments: { document: { title: string } }[] }).searchDocuments.some(
        ({ document }) => document.title === titles[place],
      ),
  };
}

/** Neighbours, so that none comes twice. */
function recordResults(testCases: readonly string[], random: Random, count: number): Ask {
  const first = random.integer(0, testCases.length - count);
  const results = testCases
    .slice(first, first + count)
    .map((testCaseId) => ({ testCaseId, status: random.pick(['PASSED', 'FAILED']) }));
  return {
    document: 'RecordResults',
    variables: { input: { results } },
    check: (data) =>
      isSame(data, {
        recordTestResults: { testCases: results.map(({ testCaseId, status }) => ({ id: testCaseId, status })) },
      }),
  };
}

function nodesOf(ids: readonly string[]) {
  return { nodes: ids.map((id) => ({ id })) };
}

/** Whether all that is expected is there; what else was asked for may be anything, but a list has no more items. */
export function isSame(actual: unknown, expected: unknown): boolean {
  if (typeof expected !== 'object' || expected === null) return actual === expected;
  if (typeof actual !== 'object' || actual === null) return false;
  if (Array.isArray(expected) && (!Array.isArray(actual) || actual.length !== expected.length)) return false;
  return Object.entries(expected).every(([key, value]) => isSame((actual as Record<string, unknown>)[key], value));
}
