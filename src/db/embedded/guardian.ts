// The parent process of Postgres. It lives in a session of its own, so that Ctrl-C does not stop the database under requests
// that are still being answered, and holds a pipe from the process it serves: when that closes, for whatever reason, Postgres
// is stopped. Its first line of input is the order; its only line of output tells what became of it.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { BoundedLog } from './bounded-log.ts';
import type { GuardianOrder, GuardianReport } from './guardian-link.ts';
import { identifyProcess } from './process-identity.ts';
import { stopPostgres } from './stop-postgres.ts';

const START_LIMIT_MS = 10 * 60_000;

// Signals to the process group of a service are for our owner: it drains first, then closes the pipe.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
// The owner may be gone when a report is written.
process.stdout.on('error', () => {});

let hasOrder = false;
const input = createInterface({ input: process.stdin });
const ownerGone = new Promise<void>((resolve) => input.once('close', resolve));
input.once('line', (line) => {
  guard(JSON.parse(line)).catch((error: unknown) => {
    report({ failed: error instanceof Error ? error.message : String(error), output: '' });
    process.exitCode = 1;
    process.stdin.destroy();
  });
});
input.once('close', () => {
  if (!hasOrder) process.exit(0);
});
async function guard(order: GuardianOrder): Promise<void> {
  hasOrder = true;
  const log = new BoundedLog(order.logFile);
  const { file, args, ...account } = order.command;
  const child = spawn(file, args, { ...account, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  child.stderr?.on('data', (chunk: Buffer) => log.write(chunk));
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(`Postgres ended (${signal ?? `exit code ${code}`})`));
  });
  const server = child.pid === undefined ? null : identifyProcess(child.pid);
  let stopping = false;
  void ownerGone.then(async () => {
    stopping = true;
    if (server !== null) await stopPostgres(server);
  });
  void waitUntilReady(order.cluster, child.pid ?? -1, ended).then((isReady) => {
    if (server === null) return;
    if (isReady) report({ ready: server });
    else void stopPostgres(server);
  });
  const reason = await ended;
  if (!stopping) report({ failed: reason, output: log.tail() });
  for (const path of order.removeAfter) rmSync(path, { recursive: true, force: true });
  process.exit(stopping ? 0 : 1);
}

/** True once the server says in its pid file that it takes connections, false when it ended first. */
async function waitUntilReady(cluster: string, pid: number, ended: Promise<string>): Promise<boolean> {
  const deadline = Date.now() + START_LIMIT_MS;
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  while (!hasEnded && Date.now() < deadline) {
    const lines = readPidFile(cluster);
    // The eighth line is the state; the first tells that the file is not one of an earlier server.
    if (Number(lines[0]) === pid && lines[7]?.trim() === 'ready') return true;
    await sleep(10);
  }
  return false;
}

function readPidFile(cluster: string): string[] {
  try {
    return readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}

function report(message: GuardianReport): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
