import type postgres from 'postgres';
import { newId } from '../db/id.ts';
import { quote } from './list-conditions.ts';

/** An organization with nearly all of many rows, beside a small one. */
export interface BigTables {
  organizationId: string;
  /** Its busiest user: owns a fifth of everything. */
  userId: string;
  featureIds: string[];
  conversationIds: string[];
  siteIds: string[];
}

/** Rows start on 2024-01-01 and are spread evenly over two years. */
export const middleOfTime = '2025-01-01 00:00:00+00';
export const endOfTime = '2026-01-01 00:00:00+00';

const smallShare = 100;
const start = `timestamptz '2024-01-01 00:00:00+00'`;
/** The moment of row n of `count`, to the millisecond. */
const momentOf = (count: number) =>
  `(${start} + n * interval '${Math.floor(63_000_000 / count)} seconds' + n % 1000 * interval '1 ms')`;
/** An id that is the same in each load: the time, then the row's number. */
const idAt = (count: number) =>
  `(left(first_id_at(${momentOf(count)})::text, 14) || '7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
const idOf = (table: string) => `md5('${table}' || n)::uuid`;
const ofList = (list: string) => `(array[${list}])`;
const commonStatus = `${ofList(`'DONE', 'DONE', 'PLANNED', 'IN_PROGRESS'`)}[1 + n % 4]`;
/** One feature in a hundred is in review. */
const status = `(case when n % 97 = 3 then 'IN_REVIEW' else ${commonStatus} end)::feature_status`;
const name = `initcap(substr(md5(n::text), 1, 2)) || ' ' || ofWords.word || ' ' || md5((n * 7)::text)`;
const word = `lateral (select ${ofList(`'search', 'export', 'billing', 'report', 'login', 'import'`)}[1 + n % 6] as word) as ofWords`;

/** Loads features, what hangs on them, and the other lists by bulk SQL, as superuser; all of it in a few seconds. */
export async function loadBigTables(client: postgres.Sql, features = 60_000): Promise<BigTables> {
  const big = newId();
  const small = newId();
  const users = Array.from({ length: 101 }, () => newId());
  const org = `case when n % ${smallShare} = 0 then ${quote(small)} else ${quote(big)} end::uuid`;
  const user = `('{${users.join()}}'::uuid[])[case when n % 5 = 1 then 1 else 2 + n % 100 end]`;
  await client.unsafe(`set session_replication_role = replica`);
  await client.unsafe(`insert into organizations (id, name) values ('${big}', 'Big'), ('${small}', 'Small')`);
  await client.unsafe(`insert into users (organization_id, id, name, email)
    select organization, id, 'Ada', id::text from unnest('{${users.join()}}'::uuid[]) as id, unnest('{${big},${small}}'::uuid[]) as organization`);
  // Who owns nothing: a table of a few pages is read whole by the best of plans.
  await client.unsafe(`insert into users (organization_id, id, name, email)
    select '${big}', gen_random_uuid(), 'Bo', n::text from generate_series(1, 20000) as n`);
  for (const [table, isById] of Object.entries({ messages: true, predictions: true, readings: false })) {
    await client.unsafe(`select ensure_month_partitions('${table}', ${isById}, '2024-01-01Z', '2025-12-31Z')`);
  }
  for (const insert of inserts(features, org, user)) await client.unsafe(insert);
  await client.unsafe(`set session_replication_role = default`);
  await client.unsafe('vacuum analyze');
  await dropEmptyPartitions(client);
  const idsOf = async (table: string) => {
    const rows = await client.unsafe<{ id: string }[]>(
      `select id from ${table} where organization_id = '${big}' order by md5(id::text) limit 100`,
    );
    return rows.map(({ id }) => id);
  };
  return {
    organizationId: big,
    userId: users[0]!,
    featureIds: await idsOf('features'),
    conversationIds: await idsOf('conversations'),
    siteIds: await idsOf('sites'),
  };
}

/** Reading an empty partition from end to end costs nothing and would only blur the plans. */
async function dropEmptyPartitions(client: postgres.Sql): Promise<void> {
  const empty = await client.unsafe<{ name: string }[]>(
    'select relname as name from pg_class where relispartition and relkind = $$r$$ and relpages = 0',
  );
  await client.unsafe(`drop table ${empty.map((partition) => partition.name).join()}`);
}

function inserts(features: number, org: string, user: string): string[] {
  const series = (count: number) => `from generate_series(1, ${count}) as n`;
  const conversations = features / 2;
  return [
    `insert into features (organization_id, id, name, description, status, complexity_points, owner_id, is_public, created_at, updated_at)
      select ${org}, ${idOf('f')}, ${name}, '', ${status}, n % 50, ${user}, n % 23 = 5,
        ${momentOf(features)}, ${momentOf(features)} + (n * 7919 % 1000) * interval '1 hour' ${series(features)}, ${word}`,
    `insert into test_cases (organization_id, id, feature_id, name, status, created_at)
      select organization_id, gen_random_uuid(), id, 'Test', ${ofList(`'PASSED', 'FAILED', 'PENDING', 'SKIPPED'`)}[1 + k % 4]::test_status, created_at
      from features, generate_series(1, 3) as k`,
    `insert into deployments (organization_id, id, feature_id, version, environment, status, created_at)
      select organization_id, gen_random_uuid(), id, '1.0.' || k, ${ofList(`'DEVELOPMENT', 'STAGING', 'PRODUCTION'`)}[k]::environment, 'SUCCEEDED', created_at
      from features, generate_series(1, 2) as k`,
    `insert into conversations (organization_id, id, title, user_id, created_at, last_message_at)
      select ${org}, ${idAt(conversations)}, 'Help', ${user}, ${momentOf(conversations)},
        case when n % 10 > 0 then ${momentOf(conversations)} + interval '1 hour' end ${series(conversations)}`,
    `insert into messages (organization_id, id, conversation_id, role, content, created_at)
      select organization_id, (left(id::text, 24) || right(md5(id::text || k), 12))::uuid, id, 'ASSISTANT', 'Hello', created_at
      from conversations, generate_series(1, 4) as k`,
    `insert into documents (organization_id, id, title, content, uploaded_by_id, created_at)
      select ${org}, ${idOf('d')}, 'Manual', 'Text', ${user}, ${momentOf(features / 3)} ${series(features / 3)}`,
    `insert into predictions (organization_id, id, model, version, precision, created_at, latency_ms, batch_size)
      select ${org}, ${idAt(features)}, ${ofList(`'sentiment', 'energy-forecast'`)}[1 + n % 2], (1 + n % 3)::text, 'FP32',
        ${momentOf(features)}, 1, 1 ${series(features)}`,
    `insert into sites (organization_id, id, name, time_zone)
      select ${org}, ${idOf('s')}, ${name}, 'UTC' ${series(features / 12)}, ${word}`,
    `insert into readings (organization_id, site_id, at, load_mw)
      select organization_id, id, ${start} + k * interval '1 day', k from (select * from sites order by id limit 200) as sites, generate_series(0, 729) as k`,
  ];
}
