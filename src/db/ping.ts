import { sql } from 'drizzle-orm';
import type { Database } from './client.ts';
import { statement } from './statement.ts';

const ping = statement<{ ok: number }>('ping', sql`select 1 as ok`);

/** Whether the database answers within `timeoutMs`. */
export async function isDatabaseUp(database: Database, timeoutMs: number): Promise<boolean> {
  const answer = ping.run(database, {}).then(
    () => true,
    () => false,
  );
  const limit = new Promise<boolean>((resolve) => setTimeout(resolve, timeoutMs, false).unref());
  return Promise.race([answer, limit]);
}
