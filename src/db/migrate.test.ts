import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDatabaseIn } from '../testing/test-database.ts';
import type { EmbeddedConnection } from './embedded/embedded-postgres.ts';
import { migrate } from './migrate.ts';

const name = `migrate_${process.pid}`;
let connection: EmbeddedConnection;
let client: postgres.Sql;

beforeAll(async () => {
  await createDatabaseIn(inject('postgres'), name);
  connection = { ...inject('postgres'), database: name };
  client = postgres({ ...connection, max: 1, fetch_types: false, onnotice: () => {} });
});

afterAll(async () => {
  await client.end();
});

describe('migrations', () => {
  test('bring an empty database up, also when processes start together', async () => {
    await Promise.all([migrate(connection), migrate(connection), migrate(connection)]);
    const [row] = await client`select count(*)::integer as count from drizzle.__drizzle_migrations`;
    expect(row?.count).toBe(1);
  });

  test('make partitions ahead, and move rows that waited for one', async () => {
    const organizationId = '019a0000-0000-7000-8000-000000000001';
    await client`insert into organizations (id, name) values (${organizationId}, 'Test')`;
    await client`insert into sites (organization_id, id, name, time_zone) values (${organizationId}, ${organizationId}, 'Site', 'UTC')`;
    await client`insert into readings values (${organizationId}, ${organizationId}, '2021-05-17T12:00:00Z', 7)`;
    await client`select ensure_month_partitions('readings', false, '2021-05-01Z', '2021-06-01Z')`;
    const rows = await client`select tableoid::regclass::text as partition, load_mw from readings`;
    expect(rows).toEqual([expect.objectContaining({ partition: 'readings_2021_05', load_mw: 7 })]);
    const [ahead] =
      await client`select count(*)::integer as count from pg_inherits where inhparent = 'messages'::regclass`;
    expect(ahead?.count).toBe(14);
  });

  test('refuse a database of newer code, and change nothing', async () => {
    await client`insert into drizzle.__drizzle_migrations (hash, created_at) values ('future', ${Date.now() + 1e9})`;
    await expect(migrate(connection)).rejects.toThrow(/migrated by newer code .* start that newer version/);
    await client`delete from drizzle.__drizzle_migrations where hash = 'future'`;
    await expect(migrate(connection)).resolves.toBeUndefined();
  });
});
