// Real owner processes for the tests of the embedded database, and what they leave.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import type { EmbeddedConnection } from '../embedded-postgres.ts';
import { identifyProcess, isPostgresOf, isRunning, type ProcessIdentity } from '../process-identity.ts';
import { stopPostgres } from '../stop-postgres.ts';

export const isRoot = process.getuid?.() === 0;

const script = fileURLToPath(new URL('./own-database.ts', import.meta.url));
const owners: ChildProcess[] = [];
const folders: string[] = [];

export interface OwnerProcess {
  readonly pid: number;
  readonly connection: EmbeddedConnection | null;
  /** The error line when it could not start. */
  readonly refused: string | null;
  /** Resolves with the line of `onLoss`. */
  readonly lost: Promise<string>;
  /** Sends a signal and waits for the end; resolves with exit code or signal. */
  end(signal: NodeJS.Signals): Promise<number | string>;
}

/** A fresh folder, removed by `removeLeftovers`; other users may pass it unless `mode` says no. */
export function createFolder(name = 'data', mode = 0o755): string {
  const parent = mkdtempSync(join(tmpdir(), 'embedded-test-'));
  chmodSync(parent, mode);
  const dataDir = join(parent, name);
  folders.push(dataDir);
  return dataDir;
}

/** Starts a process that owns the database of `dataDir`, as another user when one is given. */
export async function startOwner(
  dataDir: string,
  options: { uid?: number; purpose?: string } = {},
): Promise<OwnerProcess> {
  const args = [script, dataDir, options.purpose ?? 'test owner'];
  const account = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  const child = spawn(process.execPath, args, { ...account, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
  owners.push(child);
  const lines = createInterface({ input: child.stdout });
  const [line] = await once(lines, 'line');
  const lost = once(lines, 'line').then(([text]) => JSON.parse(text).lost);
  const { connection = null, refused = null } = JSON.parse(line);
  return {
    pid: child.pid ?? -1,
    connection,
    refused,
    lost,
    async end(signal) {
      const ended = once(child, 'exit');
      child.kill(signal);
      const [code, endSignal] = await ended;
      return code ?? endSignal;
    },
  };
}

/** The server process of a data folder. */
export function serverOf(dataDir: string): ProcessIdentity {
  const identity = identifyProcess(
    Number.parseInt(readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8'), 10),
  );
  if (identity === null) throw new Error(`expected a running server of ${dataDir}, got none`);
  return identity;
}

/** The guardian that owner.json names. */
export function guardianOf(dataDir: string): ProcessIdentity {
  return JSON.parse(readFileSync(join(dataDir, 'owner.json'), 'utf8')).guardian;
}

/** Milliseconds until all of these processes and paths are gone; throws after ten seconds. */
export async function untilGone(processes: ProcessIdentity[], paths: string[] = []): Promise<number> {
  const start = Date.now();
  while (processes.some(isRunning) || paths.some((path) => existsSync(path))) {
    if (Date.now() - start > 10_000) throw new Error(`still there: ${JSON.stringify({ processes, paths })}`);
    await sleep(20);
  }
  return Date.now() - start;
}

/** Runs one statement on a connection of its own. */
export async function query(connection: EmbeddedConnection | null, text: string): Promise<Record<string, unknown>[]> {
  if (connection === null) throw new Error('expected a connection, got a refused start');
  const sql = postgres({ ...connection, max: 1, onnotice: () => {} });
  try {
    return [...(await sql.unsafe(text))];
  } finally {
    await sql.end();
  }
}

/** Ends the processes and removes the folders that the tests made. */
export async function removeLeftovers(): Promise<void> {
  for (const child of owners.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const patience = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(patience);
  }
  for (const dataDir of folders.splice(0)) {
    await stopServerOf(dataDir);
    rmSync(dirname(dataDir), { recursive: true, force: true, maxRetries: 5 });
  }
}

// Only a failed test leaves one that does not go by itself.
async function stopServerOf(dataDir: string): Promise<void> {
  const pidFile = join(dataDir, 'postgres', 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const server = identifyProcess(Number.parseInt(readFileSync(pidFile, 'utf8'), 10));
  if (server !== null && isPostgresOf(server.pid, join(dataDir, 'postgres'))) await stopPostgres(server);
}
