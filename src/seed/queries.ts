import { getTableColumns, type SQL, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Database } from '../db/database.ts';
import { arg, bare, type CompiledStatement, statement } from '../db/statement.ts';
import { organizations } from '../domains/accounts/tables.ts';
import { readings } from '../domains/predictions/tables.ts';

/** Any constant: the one advisory lock that seeding processes queue behind; it ends with the transaction. */
const seedLock = 4_711_002;
const rowsPerStatement = 5_000;

const lock = statement<never>('lockSeed', sql.raw(`select pg_advisory_xact_lock(${seedLock})`));
const tryLock = statement<{ isFree: boolean }>(
  'tryLockSeed',
  sql.raw(`select pg_try_advisory_xact_lock(${seedLock}) as "isFree"`),
);

/** Waits until no other process seeds this database, and keeps others waiting until the transaction ends. */
export async function lockSeed(transaction: Database, onWait: () => void = () => {}): Promise<void> {
  const [row] = await tryLock.run(transaction, {});
  if (row?.isFree) return;
  onWait();
  await lock.run(transaction, {});
}

const organizationById = statement<{ id: string }>(
  'findSeededOrganization',
  sql`select ${organizations.id} from ${organizations} where ${organizations.id} = ${arg('id')}`,
);

/** Whether an organization of the seed is there; it is there with all its rows or not at all. */
export async function hasOrganization(database: Database, id: string): Promise<boolean> {
  return (await organizationById.run(database, { id })).length > 0;
}

const organizationNames = statement<{ name: string }>(
  'listOrganizationNames',
  sql`select ${organizations.name} from ${organizations} order by ${organizations.createdAt}, ${organizations.name} limit 5`,
);

/** The names of the first organizations, to tell whose data are there. */
export async function listOrganizationNames(database: Database): Promise<string[]> {
  return (await organizationNames.run(database, {})).map((row) => row.name);
}

const ensurePartitions = statement<never>(
  'ensureSeedPartitions',
  sql`select ensure_month_partitions(${arg('table')}, ${arg('keyIsId')}, ${arg('from')}::timestamptz, ${arg('to')}::timestamptz)`,
);

/** Makes the month partitions of a table for a range, so that none of its rows lands in the default partition. */
export async function ensureMonthPartitions(
  database: Database,
  partitioned: { table: 'messages' | 'predictions' | 'readings' | 'forecast_points'; from: string; to: string },
): Promise<void> {
  const keyIsId = partitioned.table === 'messages' || partitioned.table === 'predictions';
  await ensurePartitions.run(database, { ...partitioned, keyIsId });
}

const insertsByTable = new Map<PgTable, CompiledStatement<never>>();

/** Inserts rows of a table, some thousands in a statement; generated columns are left to the database. */
export async function insertRows<Table extends PgTable>(
  database: Database,
  table: Table,
  rows: readonly Table['$inferSelect'][] | readonly Omit<Table['$inferSelect'], 'search' | 'embeddedBy'>[],
): Promise<void> {
  const insert = insertsByTable.get(table) ?? compileInsert(table);
  insertsByTable.set(table, insert);
  for (let from = 0; from < rows.length; from += rowsPerStatement) {
    await insert.run(database, { rows: JSON.stringify(rows.slice(from, from + rowsPerStatement)) });
  }
}

function compileInsert(table: PgTable): CompiledStatement<never> {
  const entries = Object.entries(getTableColumns(table)).filter(([, column]) => column.generated === undefined);
  const names = bare(...entries.map(([, column]) => column));
  const types: SQL[] = entries.map(([key, column]) => sql`${sql.identifier(key)} ${sql.raw(column.getSQLType())}`);
  // As text first, or the driver would encode the JSON once more.
  return statement<never>(
    'insertSeedRows',
    sql`insert into ${table} (${names}) select * from json_to_recordset(${arg('rows')}::text::json)
      as input(${sql.join(types, sql`, `)})`,
  );
}

const insertHourlyReadings = statement<never>(
  'insertHourlyReadings',
  sql`insert into ${readings} (${bare(readings.organizationId, readings.siteId, readings.at, readings.loadMw)})
    select ${arg('organizationId')}::uuid, ${arg('siteId')}::uuid,
      ${arg('startsAt')}::timestamptz + (hour - 1) * interval '1 hour', load
    from unnest(${arg('loads')}::double precision[]) with ordinality as input(load, hour)`,
);

/** The readings of a site, one an hour from `startsAt` on. */
export async function insertReadings(
  database: Database,
  site: { organizationId: string; siteId: string; startsAt: string; loads: readonly number[] },
): Promise<void> {
  await insertHourlyReadings.run(database, site);
}
