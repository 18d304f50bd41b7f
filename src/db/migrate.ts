import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import type { ConnectionTarget } from './database.ts';

const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url));

/** Any constant: the one advisory lock that all starting processes queue behind. */
const migrationLock = 4_711_001;
const oldestVersion = 150_000;

export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Brings the database to the code's schema; processes that start together take turns.
 * @throws MigrationError when the server is too old or the database was migrated by newer code.
 */
export async function migrate(connection: ConnectionTarget): Promise<void> {
  const options = { max: 1, fetch_types: false, onnotice: () => {} };
  const client =
    typeof connection === 'string' ? postgres(connection, options) : postgres({ ...connection, ...options });
  try {
    // A limit that is meant for requests must not end a migration half way through the queue or an index.
    await client`set statement_timeout = 0`;
    await client`select pg_advisory_lock(${migrationLock})`;
    await refuseOldServer(client);
    await refuseNewerDatabase(client);
    await applyMigrations(drizzle(client), { migrationsFolder });
    await ensurePartitions(client);
  } finally {
    await client.end({ timeout: 5 });
  }
}

/** Partitions for the months ahead; rows of other months wait in the default partitions and lose nothing. */
async function ensurePartitions(client: postgres.Sql): Promise<void> {
  const partitioned: [string, boolean][] = [
    ['messages', true],
    ['predictions', true],
    ['readings', false],
    ['forecast_points', false],
  ];
  for (const [parent, keyIsId] of partitioned) {
    await client`select ensure_month_partitions(${parent}, ${keyIsId}, now(), now() + interval '12 months')`;
  }
}

async function refuseOldServer(client: postgres.Sql): Promise<void> {
  const [row] = await client<{ version: string }[]>`select current_setting('server_version_num') as version`;
  if (Number(row?.version) < oldestVersion) {
    throw new MigrationError(`the database is Postgres ${row?.version}: expected 15 or newer (${oldestVersion})`);
  }
}

async function refuseNewerDatabase(client: postgres.Sql): Promise<void> {
  const [table] = await client<{ found: boolean }[]>`
    select to_regclass('drizzle.__drizzle_migrations') is not null as found`;
  if (!table?.found) return;
  const [last] = await client<
    { at: string | null }[]
  >`select max(created_at)::text as at from drizzle.__drizzle_migrations`;
  const journal = JSON.parse(await readFile(`${migrationsFolder}/meta/_journal.json`, 'utf8')) as {
    entries: { tag: string; when: number }[];
  };
  const newest = journal.entries.at(-1);
  if (newest && Number(last?.at ?? 0) > newest.when) {
    throw new MigrationError(
      `the database was migrated by newer code (its last migration is of ${new Date(Number(last?.at)).toISOString()}, ` +
        `this code's last is ${newest.tag}): start that newer version, or use another database`,
    );
  }
}
