import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { findPostgresBinaries, type PostgresBinaries } from '../db/embedded/binaries.ts';
import { DATABASE_NAME, DATABASE_USER, prepareCluster } from '../db/embedded/cluster.ts';
import { type DatabaseUser, resolveDatabaseUser } from '../db/embedded/database-user.ts';
import { findFreePort } from './free-port.ts';
import { undoAtExit } from './undo-at-exit.ts';

/** A Postgres of a test's own on a loopback port, to be broken. */
export interface TestPostgres {
  readonly url: string;
  readonly port: number;
  /** Starts it again on the same data; resolves when it answers. */
  start(): Promise<void>;
  /** kill -9 of the server and all its processes. */
  kill(): Promise<void>;
  /** Stops all its processes where they are; they keep their sockets. */
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** The embedded one, or one that is installed on this machine. */
export async function startTestPostgres(
  settings: Readonly<Record<string, string>> = {},
  installed?: PostgresBinaries,
): Promise<TestPostgres> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'tributary-postgres-'));
  const binaries = installed ?? (await findPostgresBinaries());
  const user = resolveDatabaseUser(join(folder, '..'), binaries.postgres);
  user.takeOver(folder);
  const cluster = installed
    ? makePlainCluster(folder, installed, user)
    : await prepareCluster({ dataDir: folder, binaries, user, durable: false });
  const port = await findFreePort();
  const url = `postgres://${DATABASE_USER}@127.0.0.1:${port}/${DATABASE_NAME}`;
  const merged = { listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '', ...settings };
  const args = ['-D', cluster, ...Object.entries(merged).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  let server: ChildProcess | null = null;

  const all = (): number[] => (server?.pid === undefined ? [] : [server.pid, ...childrenOf(server.pid)]);
  const signal = (name: NodeJS.Signals) => {
    for (const pid of all()) {
      try {
        process.kill(pid, name);
      } catch {
        // It ended in between.
      }
    }
  };
  const start = async () => {
    const { file, args: userArgs, ...account } = user.command(binaries.postgres, args);
    server = spawn(file, userArgs, { ...account, cwd: '/', stdio: 'ignore' });
    await untilItAnswers(url);
  };
  const kill = async () => {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    signal('SIGKILL');
    await ended;
  };
  const removeFolder = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  const cancelUndo = undoAtExit(() => {
    signal('SIGKILL');
    removeFolder();
  });
  await start();
  return {
    url,
    port,
    start,
    kill,
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    remove: async () => {
      await kill();
      removeFolder();
      cancelUndo();
    },
  };
}

/** What any version of Postgres can make. */
function makePlainCluster(folder: string, binaries: PostgresBinaries, user: DatabaseUser): string {
  const cluster = join(folder, 'data');
  const run = (program: string, programArgs: string[], input = '') => {
    const { file, args, ...account } = user.command(program, programArgs);
    execFileSync(file, args, { ...account, cwd: '/', input, stdio: ['pipe', 'ignore', 'ignore'] });
  };
  run(binaries.initdb, ['-D', cluster, '-U', DATABASE_USER, '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']);
  run(binaries.postgres, ['--single', '-D', cluster, 'template1'], `CREATE DATABASE ${DATABASE_NAME}\n`);
  return cluster;
}

function childrenOf(pid: number): number[] {
  try {
    const listed = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
    return listed.split('\n').map(Number).filter(Boolean);
  } catch {
    return [];
  }
}

async function untilItAnswers(url: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const client = postgres(url, { max: 1, fetch_types: false, connect_timeout: 2, onnotice: () => {} });
    try {
      await client`select 1`;
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      await client.end({ timeout: 0 });
    }
  }
}
