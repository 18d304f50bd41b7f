import type { Sql } from 'postgres';
import { cpuSeconds } from './process-cpu.ts';

/**
 * The connections that the client's database has now.
 * @returns how many seconds they have run since; what has ended in the meantime is not counted. 0 where there is no /proc.
 */
export async function watchPostgresCpu(client: Sql): Promise<() => number> {
  const backends = await client<{ pid: number }[]>`
    select pid from pg_stat_activity where backend_type = 'client backend' and datname = current_database()`;
  const begun = backends.map(({ pid }) => [pid, cpuSeconds(pid)] as const);
  return () => begun.reduce((sum, [pid, before]) => sum + (cpuSeconds(pid) - before || 0), 0);
}
