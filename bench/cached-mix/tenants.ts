/** Organizations with people and rows enough that a mix of requests over them is like that of a real service. */
import postgres from 'postgres';
import { encodeGlobalId } from '../../src/schema/global-id.ts';
import type { TestIssuer } from '../../src/testing/test-issuer.ts';

const organizations = 8;
/** Of each organization. */
const counts = { users: 50, features: 1_000, conversations: 1_000, sites: 40, documents: 40 } as const;
/** Longer than any run. */
const tokenSeconds = 6 * 3_600;

/** What clients of one organization know: global ids, and a token for each of its people. */
export interface Tenant {
  readonly organizationId: string;
  readonly tokens: readonly string[];
  readonly features: readonly string[];
  readonly testCases: readonly string[];
  readonly conversations: readonly string[];
  readonly sites: readonly string[];
}

/** 8 organizations of 50 people, each with 1,000 features, 5,000 test cases, 10,000 messages, 40 documents and 40 sites. */
export async function createTenants(url: string, issuer: TestIssuer): Promise<Tenant[]> {
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    const tenants: Tenant[] = [];
    for (let number = 1; number <= organizations; number++) {
      const [row] = await client<{ id: string }[]>`
        insert into organizations (id, name) values (uuidv7(), ${`Tenant ${number}`}) returning id`;
      await fill(client, row!.id);
      tenants.push(await describe(client, row!.id, issuer));
    }
    await client`vacuum analyze`;
    return tenants;
  } finally {
    await client.end();
  }
}

async function fill(client: postgres.Sql, id: string): Promise<void> {
  await client`insert into users (organization_id, id, name, email)
    select ${id}, uuidv7(), 'Person ' || n, n || '@' || ${id} || '.example' from generate_series(1, ${counts.users}) n`;
  await client`insert into features (organization_id, id, name, description, status, complexity_points, owner_id)
    select ${id}, uuidv7(), 'Feature ' || n, repeat('What it is for, and for whom. ', 1 + n % 8),
      (enum_range(null::feature_status))[1 + n % 5], n % 13, owners.ids[1 + n % ${counts.users}]
    from generate_series(1, ${counts.features}) n, (select array_agg(id) as ids from users where organization_id = ${id}) owners`;
  await client`insert into test_cases (organization_id, id, feature_id, name, status)
    select ${id}, uuidv7(), features.id, 'Test ' || n, (enum_range(null::test_status))[1 + n % 4]
    from features, generate_series(1, 5) n where organization_id = ${id}`;
  await client`insert into deployments (organization_id, id, feature_id, version, environment, status, finished_at)
    select ${id}, uuidv7(), features.id, '1.' || n, (enum_range(null::environment))[n], 'SUCCEEDED', now()
    from features, generate_series(1, 2) n where organization_id = ${id}`;
  await client`insert into conversations (organization_id, id, title, user_id, last_message_at)
    select ${id}, uuidv7(), 'Help with ' || n, people.ids[1 + n % ${counts.users}], now()
    from generate_series(1, ${counts.conversations}) n, (select array_agg(id) as ids from users where organization_id = ${id}) people`;
  await client`insert into messages (organization_id, id, conversation_id, role, content, author_id, created_at, sentiment_label, sentiment_score)
    select ${id}, uuidv7(), conversations.id, case when n % 2 = 1 then 'USER' else 'ASSISTANT' end::message_role,
      repeat('It does not do what the page says it does. ', 1 + n % 4), case when n % 2 = 1 then user_id end, now(), 'NEUTRAL', 0.5
    from conversations, generate_series(1, 10) n where organization_id = ${id}`;
  await client`insert into documents (organization_id, id, title, content, uploaded_by_id)
    select ${id}, uuidv7(), 'Guide ' || n, 'What topic' || n || ' is for. ' || repeat('The steps, one after the other. ', 1 + n % 20), owners.id
    from generate_series(1, ${counts.documents}) n, (select id from users where organization_id = ${id} limit 1) owners`;
  await client`insert into sites (organization_id, id, name, time_zone)
    select ${id}, uuidv7(), 'Plant ' || n, 'Europe/Berlin' from generate_series(1, ${counts.sites}) n`;
  await client`insert into readings (organization_id, site_id, at, load_mw)
    select ${id}, id, date_trunc('hour', now()) - n * interval '1 hour', 100 + n % 24
    from sites, generate_series(1, 168) n where organization_id = ${id}`;
}

async function describe(client: postgres.Sql, organizationId: string, issuer: TestIssuer): Promise<Tenant> {
  const idsOf = async (table: string) => {
    const rows = await client<{ id: string }[]>`
      select id from ${client(table)} where organization_id = ${organizationId} order by id`;
    return rows.map(({ id }) => id);
  };
  const globalIds = async (table: string, typename: string) =>
    (await idsOf(table)).map((id) => encodeGlobalId(typename, id));
  const exp = Math.floor(Date.now() / 1_000) + tokenSeconds;
  const sign = (userId: string) => issuer.sign({ organizationId, userId, scopes: ['read', 'write'] }, { exp });
  return {
    organizationId,
    tokens: await Promise.all((await idsOf('users')).map(sign)),
    features: await globalIds('features', 'Feature'),
    testCases: await globalIds('test_cases', 'TestCase'),
    conversations: await globalIds('conversations', 'Conversation'),
    sites: await globalIds('sites', 'Site'),
  };
}
