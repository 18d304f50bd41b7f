/** Which core a process runs on, and what it has run there. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Of the server under measurement. */
export const serverCore = 0;
/** Of Postgres, of the load and of all that is started by a process there. */
export const loadCore = cpus().length - 1;

/**
 * All threads of a process, and what they start later; nothing happens where that cannot be said.
 * @returns whether it is pinned
 */
export function pin(pid: number, core: number): boolean {
  try {
    execFileSync('taskset', ['-apc', String(core), String(pid)], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('taskset is not there: the server shares its core with the load');
    return false;
  }
}

/** What all threads of a process have run, counted in nanoseconds by the scheduler; NaN where there is no /proc. */
export function cpuSeconds(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.reduce((sum, id) => sum + threadSeconds(pid, id), 0);
  } catch {
    return Number.NaN;
  }
}

/** As `cpuSeconds`, of the first thread of a process only: in Node the one that runs JavaScript, without V8's helpers. */
export function mainThreadCpuSeconds(pid: number): number {
  try {
    return threadSeconds(pid, String(pid));
  } catch {
    return Number.NaN;
  }
}

function threadSeconds(pid: number, id: string): number {
  return Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
}
