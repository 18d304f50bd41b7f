import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDatabaseIn } from '../testing/test-database.ts';
import type { EmbeddedConnection } from './embedded/embedded-postgres.ts';
import { migrate } from './migrate.ts';

interface Journal {
  entries: { tag: string }[];
}

const journal = JSON.parse(await readFile('drizzle/meta/_journal.json', 'utf8')) as Journal;
const someId = '019a0000-0000-7000-8000-000000000001';
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
    expect(row?.count).toBe(journal.entries.length);
  });

  test.each(journal.entries.slice(0, -1).map(({ tag }, index) => [tag, index + 1]))(
    'bring a database of %s up, and keep its rows',
    async (_tag, count) => {
      const earlier = { ...connection, database: `${name}_${count}` };
      await createDatabaseIn(inject('postgres'), earlier.database);
      await applyFirst(earlier, count);
      const own = postgres({ ...earlier, max: 1, fetch_types: false, onnotice: () => {} });
      const read = () => own`select to_jsonb(f) as feature, to_jsonb(t) as test_case from features f
        join test_cases t on t.organization_id = f.organization_id and t.feature_id = f.id`;
      try {
        // By hand: today's statements may name columns that were not there yet.
        await own`insert into organizations (id, name) values (${someId}, 'Test')`;
        await own`insert into users (organization_id, id, name, email) values (${someId}, ${someId}, 'Ada', 'ada@test.example')`;
        await own`insert into features (organization_id, id, name, description, status, complexity_points, owner_id)
          values (${someId}, ${someId}, 'Search', '', 'DONE', 3, ${someId})`;
        await own`insert into test_cases (organization_id, id, feature_id, name, status)
          values (${someId}, ${someId}, ${someId}, 'finds', 'PASSED')`;
        const before = await read();
        await migrate(earlier);
        expect(before).toHaveLength(1);
        // With columns that are new.
        expect(await read()).toMatchObject([...before]);
      } finally {
        await own.end();
      }
    },
  );

  test('make partitions ahead, and move rows that waited for one', async () => {
    const organizationId = someId;
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

/** Applies the first migrations only, as the code of their time did. */
async function applyFirst(earlier: EmbeddedConnection, count: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-migrations-'));
  const own = postgres({ ...earlier, max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await cp('drizzle', folder, { recursive: true });
    const first = { ...journal, entries: journal.entries.slice(0, count) };
    await writeFile(join(folder, 'meta/_journal.json'), JSON.stringify(first));
    await applyMigrations(drizzle(own), { migrationsFolder: folder });
  } finally {
    await own.end();
    await rm(folder, { recursive: true });
  }
}
