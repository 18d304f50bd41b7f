// Which process is meant by a pid that was written down earlier: pids are reused, start times are not.
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

/** When the process started, as text that differs between two processes of the same pid; null when there is none. */
export function readStartTime(pid: number): string | null {
  return process.platform === 'linux' ? readLinuxStartTime(pid) : readStartTimeByPs(pid);
}

/** The identity of a running process, null when it has ended. */
export function identifyProcess(pid: number): ProcessIdentity | null {
  const startTime = readStartTime(pid);
  return startTime === null ? null : { pid, startTime };
}

/** True while exactly this process runs; a zombie or a reused pid is false. */
export function isRunning(identity: ProcessIdentity): boolean {
  return readStartTime(identity.pid) === identity.startTime;
}

/** Waits until the process has ended; false when it still runs after `timeoutMs`. */
export async function waitForEnd(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isRunning(identity)) {
    if (Date.now() >= deadline) return false;
    await sleep(20);
  }
  return true;
}

/** True when `pid` is a Postgres server whose data directory is `dataDirectory` (a real path). */
export function isPostgresOf(pid: number, dataDirectory: string): boolean {
  const args = readCommandLine(pid);
  if (basename(args[0] ?? '') !== 'postgres') return false;
  return readWorkingDirectory(pid) === dataDirectory || args.some((arg) => arg === dataDirectory);
}

function readLinuxStartTime(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the command in brackets and may itself hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X' || startTicks === undefined) return null;
  // Ticks count from boot, so after a restart of the machine another process could have the same.
  return `${readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? ''}:${startTicks}`;
}

function readStartTimeByPs(pid: number): string | null {
  const line = runPs(pid, 'stat=,lstart=');
  if (line === null || line.startsWith('Z')) return null;
  return line.slice(line.indexOf(' ')).trim();
}

function readCommandLine(pid: number): string[] {
  if (process.platform === 'linux') return (readOrNull(`/proc/${pid}/cmdline`) ?? '').split('\0');
  const line = runPs(pid, 'command=') ?? '';
  const [program = '', ...rest] = line.split(' -D ');
  return [program, ...rest.map((text) => text.split(' -c ')[0] ?? '')];
}

function readWorkingDirectory(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}

function runPs(pid: number, format: string): string | null {
  try {
    const args = ['-o', format, '-p', String(pid)];
    return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() || null;
  } catch {
    return null;
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
