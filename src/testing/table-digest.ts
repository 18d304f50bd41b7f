import type { Database } from '../db/database.ts';

/** What an organization has in a table: how many rows, and a digest that any change of any of them changes. */
export interface TableDigest {
  rows: number;
  digest: string;
}

interface TableName {
  name: string;
  key: string;
}

/** The tables that hold rows of organizations, partitions left out; `key` is the column that names the organization. Pauses are of processes. */
async function listTables(database: Database): Promise<TableName[]> {
  const text = `select c.relname as name, case c.relname when 'organizations' then 'id' else 'organization_id' end as key
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'answer_pauses' order by 1`;
  return database.run<TableName>({ name: 'testListTables', text }, []);
}

/** All that an organization has, by table. A table without organization_id fails here: nothing says whose its rows are. */
export async function digestTables(
  database: Database,
  organizationId: string,
): Promise<Readonly<Record<string, TableDigest>>> {
  const tables = await listTables(database);
  const selects = tables.map(
    ({ name, key }) => `select '${name}' as name, count(*)::integer as rows,
      coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as digest from ${name} as t where t.${key} = $1`,
  );
  const statement = { name: 'testDigestTables', text: selects.join(' union all ') };
  const digests = await database.run<TableDigest & { name: string }>(statement, [organizationId]);
  return Object.fromEntries(digests.map(({ name, rows, digest }) => [name, { rows, digest }]));
}

/** Every UUID in any row of an organization: its own id, the ids of its rows, and what they refer to. */
export async function listUuids(database: Database, organizationId: string): Promise<string[]> {
  const tables = await listTables(database);
  const selects = tables.map(({ name, key }) => `select t::text as row from ${name} as t where t.${key} = $1`);
  const statement = { name: 'testListRows', text: selects.join(' union all ') };
  const rows = await database.run<{ row: string }>(statement, [organizationId]);
  const uuids = rows.flatMap(({ row }) => row.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? []);
  return [...new Set(uuids)];
}
