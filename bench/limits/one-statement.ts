/** One statement that makes the whole answer in Postgres, as text that is sent as it comes. */
import type { Sql } from 'postgres';
import type { LimitAnswers } from './server.ts';

interface Made {
  text: string;
}

/** Lists are gathered by json_agg over a subquery in its order. */
export function createOneStatements(sql: Sql, organizationId: string): LimitAnswers {
  return {
    features: async () => (await makeFeatures(sql, organizationId))[0]!.text,
    conversations: async () => (await makeConversations(sql, organizationId))[0]!.text,
    feature: async ({ id = '' }) => (await makeFeature(sql, organizationId, id))[0]!.text,
    'deep-page': async ({ createdAt = '', id = '' }) =>
      (await makeDeepPage(sql, organizationId, createdAt, id))[0]!.text,
  };
}

function makeFeatures(sql: Sql, organizationId: string) {
  return sql<Made[]>`
    select json_build_object('data', json_build_object('features', json_build_object('nodes', json_agg(
      json_build_object('id', page.id, 'name', page.name, 'status', page.status, 'createdAt', page.created_at,
        'owner', json_build_object('id', owners.id, 'name', owners.name),
        'testCases', json_build_object('nodes', tests.nodes), 'deployments', json_build_object('nodes', deployed.nodes))
      order by page.created_at desc, page.id desc))))::text as text
    from (select id, name, status, created_at, owner_id from features
      where organization_id = ${organizationId} order by created_at desc, id desc limit 20) as page
    join users as owners on owners.organization_id = ${organizationId} and owners.id = page.owner_id
    cross join lateral (
      select coalesce(json_agg(json_build_object('id', id, 'name', name, 'status', status)), '[]') as nodes from (
        select id, name, status from test_cases where organization_id = ${organizationId} and feature_id = page.id
        order by created_at, id limit 5) as rows) as tests
    cross join lateral (
      select coalesce(json_agg(json_build_object('id', id, 'version', version, 'status', status, 'createdAt', created_at)), '[]') as nodes
      from (select id, version, status, created_at from deployments
        where organization_id = ${organizationId} and feature_id = page.id
        order by created_at desc, id desc limit 3) as rows) as deployed`;
}

function makeConversations(sql: Sql, organizationId: string) {
  return sql<Made[]>`
    select json_build_object('data', json_build_object('conversations', json_build_object('nodes', json_agg(
      json_build_object('id', page.id, 'title', page.title, 'createdAt', page.created_at,
        'user', json_build_object('id', people.id, 'name', people.name),
        'messages', json_build_object('nodes', said.nodes))
      order by page.created_at desc, page.id desc))))::text as text
    from (select id, title, created_at, user_id from conversations
      where organization_id = ${organizationId} order by created_at desc, id desc limit 20) as page
    join users as people on people.organization_id = ${organizationId} and people.id = page.user_id
    cross join lateral (
      select coalesce(json_agg(json_build_object('id', rows.id, 'role', role, 'content', content, 'createdAt', rows.created_at,
        'author', case when author_id is not null then json_build_object('id', authors.id, 'name', authors.name) end)
        order by rows.id), '[]') as nodes
      from (select id, role, content, created_at, author_id from messages
        where organization_id = ${organizationId} and conversation_id = page.id
          and id >= (left(page.id::text, 13) || '-0000-0000-000000000000')::uuid
        order by id limit 10) as rows
      left join users as authors on authors.organization_id = ${organizationId} and authors.id = rows.author_id) as said`;
}

function makeFeature(sql: Sql, organizationId: string, id: string) {
  return sql<Made[]>`
    select json_build_object('data', json_build_object('feature', json_build_object('id', features.id,
      'name', features.name, 'description', description, 'status', status, 'createdAt', features.created_at,
      'owner', json_build_object('id', owners.id, 'name', owners.name, 'email', owners.email))))::text as text
    from features join users as owners on owners.organization_id = ${organizationId} and owners.id = features.owner_id
    where features.organization_id = ${organizationId} and features.id = ${id}`;
}

function makeDeepPage(sql: Sql, organizationId: string, createdAt: string, id: string) {
  return sql<Made[]>`
    select json_build_object('data', json_build_object('features', json_build_object(
      'nodes', json_agg(json_build_object('id', id, 'name', name, 'status', status, 'complexityPoints', complexity_points,
        'createdAt', created_at) order by created_at desc, id desc),
      'pageInfo', json_build_object('endCursor', translate(encode(convert_to(json_build_array(
        (array_agg(created_at order by created_at, id))[1], (array_agg(id order by created_at, id))[1])::text, 'UTF8'),
        'base64'), E'\n', '')))))::text as text
    from (select id, name, status, complexity_points, created_at from features
      where organization_id = ${organizationId}
        and (created_at, id) < (${createdAt}::text::timestamptz, ${id}::uuid)
      order by created_at desc, id desc limit 100) as page`;
}
