/** What the right answers are: read from the database by plain SQL, with the cursors that the server gives for them. */
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { encodeGlobalId } from '../../src/schema/global-id.ts';
import type { Tenant } from '../cached-mix/tenants.ts';

export interface KnownFeature {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  /** Global ids, first made first. */
  readonly testCases: readonly string[];
  readonly deployments: readonly string[];
}

export interface KnownConversation {
  readonly id: string;
  readonly title: string;
  readonly user: string;
  /** Global ids of the first ten. */
  readonly messages: readonly string[];
}

export interface KnownTestCase {
  readonly id: string;
  readonly name: string;
  readonly featureId: string;
}

/** A list in the server's own order, and the cursor of each item. */
export interface KnownList<Item> {
  readonly items: readonly Item[];
  readonly cursors: readonly string[];
}

export interface KnownTenant {
  readonly tenant: Tenant;
  readonly features: KnownList<KnownFeature>;
  readonly conversations: KnownList<KnownConversation>;
  readonly testCases: readonly KnownTestCase[];
  /** Titles of documents; each holds the word `topic` with its number, from 1 on, which no other holds. */
  readonly documents: readonly string[];
}

interface Source {
  readonly databaseUrl: string;
  readonly origin: string;
}

export async function readKnownTenants(
  tenants: readonly Tenant[],
  { databaseUrl, origin }: Source,
): Promise<KnownTenant[]> {
  const client = postgres(databaseUrl, { max: 1, fetch_types: false });
  try {
    const known: KnownTenant[] = [];
    for (const tenant of tenants) {
      const features = await readFeatures(client, tenant.organizationId);
      const conversations = await readConversations(client, tenant.organizationId);
      known.push({
        tenant,
        features: { items: features, cursors: await walk(origin, tenant, 'WalkFeatures', features) },
        conversations: {
          items: conversations,
          cursors: await walk(origin, tenant, 'WalkConversations', conversations),
        },
        testCases: await readTestCases(client, tenant.organizationId),
        documents: await readDocuments(client, tenant.organizationId),
      });
    }
    return known;
  } finally {
    await client.end();
  }
}

async function readFeatures(client: postgres.Sql, organizationId: string): Promise<KnownFeature[]> {
  const rows = await client<{ id: string; name: string; owner: string; tests: string; deployments: string }[]>`
    select f.id, f.name, u.name as owner,
      (select json_agg(id order by created_at, id) from test_cases t
        where t.organization_id = f.organization_id and t.feature_id = f.id)::text as tests,
      (select json_agg(id order by created_at desc, id desc) from deployments d
        where d.organization_id = f.organization_id and d.feature_id = f.id)::text as deployments
    from features f join users u on u.organization_id = f.organization_id and u.id = f.owner_id
    where f.organization_id = ${organizationId} order by f.created_at desc, f.id desc`;
  return rows.map(({ id, name, owner, tests, deployments }) => ({
    id: encodeGlobalId('Feature', id),
    name,
    owner,
    testCases: idsOf('TestCase', tests),
    deployments: idsOf('Deployment', deployments),
  }));
}

async function readConversations(client: postgres.Sql, organizationId: string): Promise<KnownConversation[]> {
  const rows = await client<{ id: string; title: string; user: string; messages: string }[]>`
    select c.id, c.title, u.name as user,
      (select json_agg(id order by id) from messages m
        where m.organization_id = c.organization_id and m.conversation_id = c.id)::text as messages
    from conversations c join users u on u.organization_id = c.organization_id and u.id = c.user_id
    where c.organization_id = ${organizationId} order by c.created_at desc, c.id desc`;
  return rows.map(({ id, title, user, messages }) => ({
    id: encodeGlobalId('Conversation', id),
    title,
    user,
    messages: idsOf('Message', messages).slice(0, 10),
  }));
}

async function readTestCases(client: postgres.Sql, organizationId: string): Promise<KnownTestCase[]> {
  const rows = await client<{ id: string; name: string; featureId: string }[]>`
    select id, name, feature_id as "featureId" from test_cases where organization_id = ${organizationId} order by id`;
  return rows.map(({ id, name, featureId }) => ({
    id: encodeGlobalId('TestCase', id),
    name,
    featureId: encodeGlobalId('Feature', featureId),
  }));
}

async function readDocuments(client: postgres.Sql, organizationId: string): Promise<string[]> {
  const rows = await client<{ title: string }[]>`
    select title from documents where organization_id = ${organizationId} order by id`;
  return rows.map(({ title }) => title);
}

/** @param list - of UUIDs, as JSON; null: none */
function idsOf(typename: string, list: string | null): string[] {
  return (JSON.parse(list ?? '[]') as string[]).map((id) => encodeGlobalId(typename, id));
}

/** What the walks ask; trusted like the rest of the mix. */
export const walkDocuments = {
  WalkFeatures:
    'query WalkFeatures($after: String) { list: features(first: 100, after: $after) { edges { cursor node { id } } pageInfo { endCursor hasNextPage } } }',
  WalkConversations:
    'query WalkConversations($after: String) { list: conversations(first: 100, after: $after) { edges { cursor node { id } } pageInfo { endCursor hasNextPage } } }',
} as const;

const walkLimitMs = 60_000;
const retryMs = 200;

interface WalkedPage {
  readonly edges: readonly { readonly cursor: string; readonly node: { readonly id: string } }[];
  readonly pageInfo: { readonly endCursor: string | null; readonly hasNextPage: boolean };
}

/**
 * The cursor of each item.
 * @throws Error where the server's list is not that of the database
 */
async function walk(
  origin: string,
  { tokens }: Tenant,
  documentId: keyof typeof walkDocuments,
  items: readonly { readonly id: string }[],
): Promise<string[]> {
  const edges: { cursor: string; node: { id: string } }[] = [];
  const untilMs = performance.now() + walkLimitMs;
  for (let after: string | null = null; ; ) {
    const response = await fetch(`${origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${tokens[0]}` },
      body: JSON.stringify({ documentId, variables: { after } }),
    });
    const { data, errors } = (await response.json()) as { data?: { list: WalkedPage }; errors?: unknown };
    if (!data) {
      // A server that has just started may have too much to do.
      if (!response.headers.has('retry-after') || performance.now() > untilMs) {
        throw new Error(`${documentId}: ${JSON.stringify(errors)}`);
      }
      await pause(retryMs);
      continue;
    }
    edges.push(...data.list.edges);
    after = data.list.pageInfo.endCursor;
    if (!data.list.pageInfo.hasNextPage) break;
  }
  const isSame = edges.length === items.length && edges.every(({ node }, place) => node.id === items[place]!.id);
  if (!isSame) throw new Error(`${documentId}: the server's list is not the database's`);
  return edges.map(({ cursor }) => cursor);
}
