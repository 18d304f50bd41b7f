/**
 * One flat statement for the page and one for each thing below it, joined in JavaScript and written by JSON.stringify:
 * the way of a server with loaders, without everything else such a server does.
 */
import type { Sql } from 'postgres';
import type { LimitAnswers } from './server.ts';

interface Owned {
  ownerId: string;
}

interface User {
  id: string;
  name: string;
}

export function createFlatStatements(sql: Sql, organizationId: string): LimitAnswers {
  return {
    features: async () => write({ features: { nodes: await listFeatures(sql, organizationId) } }),
    conversations: async () => write({ conversations: { nodes: await listConversations(sql, organizationId) } }),
    feature: async ({ id = '' }) => write({ feature: await findFeature(sql, organizationId, id) }),
    'deep-page': async ({ createdAt = '', id = '' }) => {
      // As text: a parameter of type timestamptz would go through a Date, and its microseconds be lost.
      const nodes = await sql`
        select id, name, status, complexity_points as "complexityPoints", created_at as "createdAt" from features
        where organization_id = ${organizationId} and (created_at, id) < (${createdAt}::text::timestamptz, ${id}::uuid)
        order by created_at desc, id desc limit 100`;
      const last = nodes.at(-1)!;
      const endCursor = Buffer.from(JSON.stringify([last.createdAt, last.id])).toString('base64url');
      return write({ features: { nodes, pageInfo: { endCursor } } });
    },
  };
}

async function listFeatures(sql: Sql, organizationId: string) {
  const features = await sql<(Owned & { id: string; name: string; status: string; createdAt: Date })[]>`
    select id, name, status, created_at as "createdAt", owner_id as "ownerId" from features
    where organization_id = ${organizationId} order by created_at desc, id desc limit 20`;
  const ids = features.map(({ id }) => id);
  const [owners, testCases, deployments] = await Promise.all([
    listUsers(sql, organizationId, distinct(features.map(({ ownerId }) => ownerId))),
    sql<{ featureId: string; id: string; name: string; status: string }[]>`
      select parents.id as "featureId", page.* from unnest(${ids}::uuid[]) as parents(id) cross join lateral (
        select id, name, status from test_cases where organization_id = ${organizationId} and feature_id = parents.id
        order by created_at, id limit 5) as page`,
    sql<{ featureId: string; id: string; version: string; status: string; createdAt: Date }[]>`
      select parents.id as "featureId", page.* from unnest(${ids}::uuid[]) as parents(id) cross join lateral (
        select id, version, status, created_at as "createdAt" from deployments
        where organization_id = ${organizationId} and feature_id = parents.id
        order by created_at desc, id desc limit 3) as page`,
  ]);
  const below = new Map(ids.map((id) => [id, { testCases: [] as unknown[], deployments: [] as unknown[] }]));
  for (const { featureId, id, name, status } of testCases) below.get(featureId)!.testCases.push({ id, name, status });
  for (const { featureId, id, version, status, createdAt } of deployments) {
    below.get(featureId)!.deployments.push({ id, version, status, createdAt });
  }
  return features.map(({ id, name, status, createdAt, ownerId }) => ({
    id,
    name,
    status,
    createdAt,
    owner: owners.get(ownerId),
    testCases: { nodes: below.get(id)!.testCases },
    deployments: { nodes: below.get(id)!.deployments },
  }));
}

async function listConversations(sql: Sql, organizationId: string) {
  const conversations = await sql<{ id: string; title: string; createdAt: Date; userId: string }[]>`
    select id, title, created_at as "createdAt", user_id as "userId" from conversations
    where organization_id = ${organizationId} order by created_at desc, id desc limit 20`;
  const ids = conversations.map(({ id }) => id);
  const messages = await sql<
    {
      conversationId: string;
      id: string;
      role: string;
      content: string;
      createdAt: Date;
      authorId: string | null;
    }[]
  >`
    select parents.id as "conversationId", page.* from unnest(${ids}::uuid[]) as parents(id) cross join lateral (
      select id, role, content, created_at as "createdAt", author_id as "authorId" from messages
      where organization_id = ${organizationId} and conversation_id = parents.id
        and id >= (left(parents.id::text, 13) || '-0000-0000-000000000000')::uuid
      order by id limit 10) as page`;
  const authorIds = messages.flatMap(({ authorId }) => authorId ?? []);
  const [users, authors] = await Promise.all([
    listUsers(sql, organizationId, distinct(conversations.map(({ userId }) => userId))),
    listUsers(sql, organizationId, distinct(authorIds)),
  ]);
  const messagesOf = new Map(ids.map((id) => [id, [] as unknown[]]));
  for (const { conversationId, id, role, content, createdAt, authorId } of messages) {
    const author = authorId === null ? null : authors.get(authorId);
    messagesOf.get(conversationId)!.push({ id, role, content, createdAt, author });
  }
  return conversations.map(({ id, title, createdAt, userId }) => ({
    id,
    title,
    createdAt,
    user: users.get(userId),
    messages: { nodes: messagesOf.get(id)! },
  }));
}

async function findFeature(sql: Sql, organizationId: string, id: string) {
  const [found] = await sql<(Owned & Record<string, unknown>)[]>`
    select id, name, description, status, created_at as "createdAt", owner_id as "ownerId" from features
    where organization_id = ${organizationId} and id = ${id}`;
  if (!found) return null;
  const { ownerId, ...feature } = found;
  const [owner] = await sql`
    select id, name, email from users where organization_id = ${organizationId} and id = ${ownerId}`;
  return { ...feature, owner };
}

async function listUsers(sql: Sql, organizationId: string, ids: string[]): Promise<Map<string, User>> {
  const users = await sql<User[]>`
    select id, name from users where organization_id = ${organizationId} and id = any(${ids}::uuid[])`;
  return new Map(users.map((user) => [user.id, user]));
}

function distinct(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}

function write(data: unknown): string {
  return JSON.stringify({ data });
}
