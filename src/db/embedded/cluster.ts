// The data directory of the embedded Postgres: made once, in one step that cannot be seen half done.
import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { PostgresBinaries } from './binaries.ts';
import type { DatabaseUser } from './database-user.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';

export const DATABASE_NAME = 'tributary';
export const DATABASE_USER = 'tributary';

const UNFINISHED = 'postgres.new-';
const LINES_TOLD = 4;

export interface ClusterOptions {
  readonly dataDir: string;
  readonly binaries: PostgresBinaries;
  readonly user: DatabaseUser;
  /** False skips the fsync at the end, for a cluster that is thrown away. */
  readonly durable: boolean;
}

/** The data directory inside `dataDir`, made by initdb when missing, checked and handed to the right user when not. */
export async function prepareCluster(options: ClusterOptions): Promise<string> {
  const cluster = clusterPath(options.dataDir);
  removeUnfinished(options.dataDir);
  if (!existsSync(cluster)) await createCluster(options, cluster);
  await checkVersion(options, cluster);
  if (process.getuid?.() === 0 && statSync(cluster).uid !== options.user.uid) options.user.takeOver(cluster);
  // Postgres refuses a directory that others may read, as a plain copy of one is.
  chmodSync(cluster, 0o700);
  return cluster;
}

/** Where the data directory of `dataDir` is. */
export function clusterPath(dataDir: string): string {
  return join(dataDir, 'postgres');
}

async function createCluster(options: ClusterOptions, cluster: string): Promise<void> {
  mkdirSync(options.dataDir, { recursive: true });
  const unfinished = mkdtempSync(join(options.dataDir, UNFINISHED));
  options.user.takeOver(unfinished);
  try {
    await initialize(options, unfinished);
    await createDatabase(options, unfinished);
    renameSync(unfinished, cluster);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}

async function initialize(options: ClusterOptions, folder: string): Promise<void> {
  const args = [
    `--pgdata=${folder}`,
    `--username=${DATABASE_USER}`,
    '--auth=trust',
    '--encoding=UTF8',
    '--no-instructions',
  ];
  const locale = [
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    `--lc-ctype=${characterType()}`,
  ];
  const sync = options.durable ? [] : ['--no-sync'];
  await runAsUser(options, options.binaries.initdb, [...args, ...locale, ...sync], '');
}

// The full-text parser and pg_trgm still ask the C library what a letter is: with LC_CTYPE C, "Ä" is none (measured).
function characterType(): string {
  return process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8';
}

async function createDatabase(options: ClusterOptions, folder: string): Promise<void> {
  const args = ['--single', '-D', folder, 'template1'];
  await runAsUser(options, options.binaries.postgres, args, `CREATE DATABASE ${DATABASE_NAME}\n`);
}

async function checkVersion(options: ClusterOptions, cluster: string): Promise<void> {
  const found = readVersion(cluster);
  const output = await runAsUser(options, options.binaries.postgres, ['--version'], '');
  const expected = /(\d+)/.exec(output)?.[1];
  if (found === expected) return;
  throw new EmbeddedPostgresError(
    `The database in ${cluster} is of Postgres ${found ?? '(no PG_VERSION file)'}, and the embedded one is ${expected}: ` +
      'move the folder away to start empty, or dump it with the old version and load it again.',
  );
}

function readVersion(cluster: string): string | null {
  try {
    return readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
  } catch {
    return null;
  }
}

function removeUnfinished(dataDir: string): void {
  for (const name of readdirSync(dataDir)) {
    if (name.startsWith(UNFINISHED)) rmSync(join(dataDir, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

function runAsUser(options: ClusterOptions, file: string, args: readonly string[], input: string): Promise<string> {
  const { file: program, args: programArgs, ...account } = options.user.command(file, args);
  // Not in our own directory: the user of the database may not be allowed to enter it.
  const settings = {
    ...account,
    cwd: '/',
    env: { ...process.env, LC_ALL: 'C', PGUSER: undefined },
    maxBuffer: 1 << 24,
  };
  return new Promise((resolve, reject) => {
    const child = execFile(program, programArgs, settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new EmbeddedPostgresError(describeFailure(file, error, `${stdout}\n${stderr}`)));
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

function describeFailure(file: string, error: Error & { code?: unknown; signal?: unknown }, output: string): string {
  const reason = `${basename(file)} failed (${error.signal ?? error.code ?? error.message}): ${errorLines(output)}`;
  return `Cannot make the embedded database: ${reason}. Mend that and start again, or set DATABASE_URL.`;
}

// initdb cleans up after an error, and says so last.
function errorLines(output: string): string {
  const errors = output.split('\n').filter((line) => /\b(ERROR|FATAL|PANIC|error|could not)\b/.test(line));
  return lastLines(errors.length > 0 ? errors.join('\n') : output);
}

/** What a program said last, as one line. */
export function lastLines(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  return (
    lines
      .filter((line) => line !== '')
      .slice(-LINES_TOLD)
      .join(' | ') || 'no output'
  );
}
