import { sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { statement } from '../db/statement.ts';

/** Every table with rows of an organization, parents first. */
export const seededTables = [
  'organizations',
  'users',
  'features',
  'test_cases',
  'deployments',
  'conversations',
  'messages',
  'documents',
  'sites',
  'readings',
  'predictions',
  'forecast_points',
] as const;

const truncate = statement<never>('truncateAll', sql`truncate organizations cascade`);

/** Empties every table that hangs on an organization. Also of empty tables: an aborted load then leaves no dead space. */
export async function truncateAll(transaction: Database): Promise<void> {
  await truncate.run(transaction, {});
}

/** Settings of a transaction that loads a lot. */
export async function applyLoadSettings(transaction: Database): Promise<void> {
  const set = (text: string, database = transaction) => database.run({ name: 'applyLoadSettings', text }, []);
  // For sorting while indexes are built.
  await set(`set local maintenance_work_mem = '1GB'`);
  await set(`set local work_mem = '64MB'`);
  // The server notices within a second that this process was killed, instead of after the statement; not on every system.
  const wish = `set local client_connection_check_interval = '1s'`;
  await transaction.transaction((savepoint) => set(wish, savepoint)).catch(() => {});
}

const pending = 'loaded by npm run seed, VACUUM pending';
const announceVacuum = statement<never>('announceVacuum', sql.raw(`comment on table features is '${pending}'`));
const forgetVacuum = statement<never>('forgetVacuum', sql`comment on table features is null`);
const findPending = statement<{ comment: string | null }>(
  'findPendingVacuum',
  sql`select obj_description('features'::regclass, 'pg_class') as comment`,
);

/** Notes in a load's transaction that its tables have to be vacuumed once it has been committed. */
export async function requireVacuum(transaction: Database): Promise<void> {
  await announceVacuum.run(transaction, {});
}

/** Whether a load was killed between its commit and its VACUUM. */
export async function needsVacuum(database: Database): Promise<boolean> {
  const [row] = await findPending.run(database, {});
  return row?.comment === pending;
}

/** Statistics for the planner and the visibility map for index-only scans; the rows are frozen while they are read anyway. */
export async function vacuumTables(database: Database, onDone: (table: string) => void): Promise<void> {
  for (const table of seededTables) {
    await database.run({ name: 'vacuumSeed', text: `vacuum (freeze, analyze) ${table}` }, []);
    onDone(table);
  }
  await forgetVacuum.run(database, {});
}

export interface TableSize {
  table: string;
  bytes: number;
}

const sizes = statement<TableSize>(
  'listTableSizes',
  sql`select coalesce(inhparent, pg_class.oid)::regclass::text as table, sum(pg_total_relation_size(pg_class.oid))::float8 as bytes
    from pg_class left join pg_inherits on inhrelid = pg_class.oid
    where relkind in ('r', 'p') and relnamespace = current_schema()::regnamespace
    group by 1 order by 2 desc`,
);
const databaseSize = statement<{ bytes: number }>(
  'measureDatabase',
  sql.raw('select pg_database_size(current_database())::float8 as bytes'),
);

/** Bytes of each table with its indexes, largest first, and of the whole database. */
export async function measureDisk(database: Database): Promise<{ tables: TableSize[]; totalBytes: number }> {
  const [total] = await databaseSize.run(database, {});
  return { tables: await sizes.run(database, {}), totalBytes: total?.bytes ?? 0 };
}
