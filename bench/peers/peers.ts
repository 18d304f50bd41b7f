import { parseGlobalId } from '../../src/schema/global-id.ts';
import type { QueryKey } from '../four-queries.ts';
import type { Facts } from '../suite/scenario.ts';

/** Another server of the same data, and how it is asked for what the four queries ask ours for. */
export interface Peer {
  readonly name: string;
  /** Beside this file. */
  readonly server: string;
  queries(organizationId: string): Readonly<Record<QueryKey, string>>;
}

/** Its names are made of the tables' and the columns'. */
const postgraphile: Peer = {
  name: 'PostGraphile',
  server: 'postgraphile-server.mjs',
  queries(organizationId) {
    const ofOrganization = `condition: { organizationId: "${organizationId}" }`;
    const newest = 'orderBy: [CREATED_AT_DESC, PRIMARY_KEY_DESC]';
    const oldest = 'orderBy: [CREATED_AT_ASC, PRIMARY_KEY_ASC]';
    return {
      features: `{ features: allFeatures(first: 20, ${ofOrganization}, ${newest}) { nodes {
        id name status createdAt owner: userByOrganizationIdAndOwnerId { id name }
        testCases: testCasesByOrganizationIdAndFeatureId(first: 5, ${oldest}) { nodes { id name status } }
        deployments: deploymentsByOrganizationIdAndFeatureId(first: 3, ${newest}) {
          nodes { id version status createdAt } } } } }`,
      conversations: `{ conversations: allConversations(first: 20, ${ofOrganization}, ${newest}) { nodes {
        id title createdAt user: userByOrganizationIdAndUserId { id name }
        messages: messagesByOrganizationIdAndConversationId(first: 10, orderBy: [PRIMARY_KEY_ASC]) { nodes {
          id role content createdAt author: userByOrganizationIdAndAuthorId { id name } } } } } }`,
      feature: `query ($id: UUID!) { feature: featureByOrganizationIdAndRowId(
        organizationId: "${organizationId}", rowId: $id) {
          id name description status createdAt owner: userByOrganizationIdAndOwnerId { id name email } } }`,
      'deep-page': `query ($after: Cursor) {
        features: allFeatures(first: 100, after: $after, ${ofOrganization}, ${newest}) {
          nodes { id name status complexityPoints createdAt } pageInfo { endCursor } } }`,
    };
  },
};

const mercurius: Peer = {
  name: 'Mercurius',
  server: 'mercurius-server.mjs',
  queries: () => ({
    features: `{ features(first: 20) { nodes { id name status createdAt owner { id name }
      testCases(first: 5) { nodes { id name status } } deployments(first: 3) { nodes { id version status createdAt } } } } }`,
    conversations: `{ conversations(first: 20) { nodes { id title createdAt user { id name }
      messages(first: 10) { nodes { id role content createdAt author { id name } } } } } }`,
    feature: 'query ($id: ID!) { feature(id: $id) { id name description status createdAt owner { id name email } } }',
    'deep-page': `query ($after: String) { features(first: 100, after: $after) {
      nodes { id name status complexityPoints createdAt } pageInfo { endCursor } } }`,
  }),
};

export const peers: readonly Peer[] = [postgraphile, mercurius];

/** A query with variables as the peer has them. */
export interface PeerOperation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * The operation that stands for one of the four queries.
 * @param ask the peer, for the cursor of its own that lies as deep as ours
 */
export async function operationOf(
  key: QueryKey,
  queries: Readonly<Record<QueryKey, string>>,
  { facts, pages, ask }: { facts: Facts; pages: number; ask: (operation: PeerOperation) => Promise<string> },
): Promise<PeerOperation> {
  const query = queries[key];
  if (key === 'feature') {
    return { query, variables: { id: parseGlobalId(String(facts.queries.feature.variables.id))!.key } };
  }
  if (key !== 'deep-page') return { query, variables: {} };
  let after: string | null = null;
  for (let page = 0; page < pages; page += 1) {
    const { data } = JSON.parse(await ask({ query, variables: { after } })) as {
      data: { features: { pageInfo: { endCursor: string } } };
    };
    after = data.features.pageInfo.endCursor;
  }
  return { query, variables: { after } };
}

/** The texts of an answer that all servers write alike, in their order. */
export function textsOf(answer: string): string[] {
  return [...answer.matchAll(/"(?:name|title|content|email)":"(?:[^"\\]|\\.)*"/g)].map(([text]) => text);
}
