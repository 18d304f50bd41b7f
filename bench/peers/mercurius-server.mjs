/**
 * Mercurius with its just-in-time compiler, its loaders, and postgres.js: its address, the database's and the organization
 * are its arguments. No TypeScript, whose checker would need its packages.
 */
import Fastify from 'fastify';
import mercurius from 'mercurius';
import postgres from 'postgres';

const [url, port, organizationId] = process.argv.slice(2);
const sql = postgres(url, { max: 20 });
const schema = `
  type User { id: ID! name: String! email: String! }
  type TestCase { id: ID! name: String! status: String! }
  type TestCases { nodes: [TestCase!]! }
  type Deployment { id: ID! version: String! status: String! createdAt: String! }
  type Deployments { nodes: [Deployment!]! }
  type Feature {
    id: ID! name: String! description: String! status: String! complexityPoints: Int createdAt: String!
    owner: User! testCases(first: Int!): TestCases! deployments(first: Int!): Deployments!
  }
  type PageInfo { endCursor: String }
  type Features { nodes: [Feature!]! pageInfo: PageInfo! }
  type Message { id: ID! role: String! content: String! createdAt: String! author: User }
  type Messages { nodes: [Message!]! }
  type Conversation { id: ID! title: String! createdAt: String! user: User! messages(first: Int!): Messages! }
  type Conversations { nodes: [Conversation!]! }
  type Query {
    feature(id: ID!): Feature
    features(first: Int!, after: String): Features!
    conversations(first: Int!): Conversations!
  }`;

const featureColumns = sql`
  id, name, description, status, complexity_points as "complexityPoints", created_at as "createdAt", owner_id as "ownerId"`;
const createdAt = (row) => row.createdAt.toISOString();

const resolvers = {
  Query: {
    feature: async (_, { id }) => {
      const [row] = await sql`
        select ${featureColumns} from features where organization_id = ${organizationId} and id = ${id}`;
      return row ?? null;
    },
    features: async (_, { first, after }) => {
      const [at, id] = after ? JSON.parse(Buffer.from(after, 'base64url').toString()) : [];
      const rows = await sql`
        select ${featureColumns}, created_at::text as at from features where organization_id = ${organizationId}
        ${at ? sql`and (created_at, id) < (${at}::text::timestamptz, ${id}::uuid)` : sql``}
        order by created_at desc, id desc limit ${first}`;
      return { nodes: rows, pageInfo: { endCursor: cursorOf(rows.at(-1)) } };
    },
    conversations: async (_, { first }) => ({
      nodes: await sql`
        select id, title, created_at as "createdAt", user_id as "userId" from conversations
        where organization_id = ${organizationId} order by created_at desc, id desc limit ${first}`,
    }),
  },
  Feature: { createdAt },
  Deployment: { createdAt },
  Message: { createdAt },
  Conversation: { createdAt },
};

const loaders = {
  Feature: {
    owner: (queries) => loadUsers(queries.map(({ obj }) => obj.ownerId)),
    testCases: (queries) =>
      loadNodes(
        queries,
        (ids, limit) => sql`
        select parents.id as parent, page.* from unnest(${ids}::uuid[]) as parents(id) cross join lateral (
          select id, name, status from test_cases where organization_id = ${organizationId} and feature_id = parents.id
          order by created_at, id limit ${limit}) as page`,
      ),
    deployments: (queries) =>
      loadNodes(
        queries,
        (ids, limit) => sql`
        select parents.id as parent, page.* from unnest(${ids}::uuid[]) as parents(id) cross join lateral (
          select id, version, status, created_at as "createdAt" from deployments
          where organization_id = ${organizationId} and feature_id = parents.id
          order by created_at desc, id desc limit ${limit}) as page`,
      ),
  },
  Conversation: {
    user: (queries) => loadUsers(queries.map(({ obj }) => obj.userId)),
    messages: (queries) =>
      loadNodes(
        queries,
        (ids, limit) => sql`
        select parents.id as parent, page.* from unnest(${ids}::uuid[]) as parents(id) cross join lateral (
          select id, role, content, created_at as "createdAt", author_id as "authorId" from messages
          where organization_id = ${organizationId} and conversation_id = parents.id
            and id >= (left(parents.id::text, 13) || '-0000-0000-000000000000')::uuid
          order by id limit ${limit}) as page`,
      ),
  },
  Message: { author: (queries) => loadUsers(queries.map(({ obj }) => obj.authorId)) },
};

async function loadUsers(ids) {
  const distinct = [...new Set(ids.filter((id) => id !== null))];
  const users = await sql`
    select id, name, email from users where organization_id = ${organizationId} and id = any(${distinct}::uuid[])`;
  const byId = new Map(users.map((user) => [user.id, user]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** A page for each parent; all ask for as many rows. */
async function loadNodes(queries, list) {
  const ids = queries.map(({ obj }) => obj.id);
  const pages = new Map(ids.map((id) => [id, { nodes: [] }]));
  for (const row of await list(ids, queries[0].params.first)) pages.get(row.parent).nodes.push(row);
  return ids.map((id) => pages.get(id));
}

function cursorOf(row) {
  return row ? Buffer.from(JSON.stringify([row.at, row.id])).toString('base64url') : null;
}

const app = Fastify();
app.register(mercurius, { schema, resolvers, loaders, jit: 1 });
await app.listen({ port: Number(port), host: '127.0.0.1' });
console.log('ready');
