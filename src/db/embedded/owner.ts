// One owner of a data folder at a time. The truth is a lock of the kernel (held through SQLite on owner.lock), which ends
// with the process however it ends and excludes two recoveries at once; owner.json only tells others who and where.
import { accessSync, chownSync, constants, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedPostgresError, faultCode } from './embedded-postgres-error.ts';
import { identifyProcess, isRunning, type ProcessIdentity } from './process-identity.ts';

const SQLITE_BUSY = 5;
// A held lock without a readable living owner is one about to write its file, or to end: look again before refusing.
const LOCK_PATIENCE_MS = 1_000;

export interface Owner extends ProcessIdentity {
  readonly startedAt: string;
  readonly purpose: string;
  readonly command: string;
  /** The socket directory, null until the server is ready. */
  readonly host: string | null;
  readonly socketDir: string | null;
  readonly guardian: ProcessIdentity | null;
}

export interface Ownership {
  /** What a dead owner left, null when the last one ended in order. */
  readonly previous: Owner | null;
  record(changes: Partial<Owner>): void;
  release(): void;
}

// A lock is lost when its database object is collected, so the process keeps what it holds.
const heldLocks = new Set<DatabaseSync>();

/** Makes this process the owner of `dataDir`, or throws one line that says who is. */
export async function claimOwnership(dataDir: string, purpose: string): Promise<Ownership> {
  const lock = await acquireLock(dataDir);
  const self = identifyProcess(process.pid);
  if (self === null)
    throw new EmbeddedPostgresError(`Cannot read the start time of this process (pid ${process.pid}).`);
  const previous = readOwner(dataDir);
  let owner: Owner = {
    ...self,
    startedAt: new Date().toISOString(),
    purpose,
    command: process.argv.slice(1).join(' '),
    host: null,
    socketDir: previous?.socketDir ?? null,
    guardian: previous?.guardian ?? null,
  };
  writeOwner(dataDir, owner);
  return {
    previous,
    record(changes) {
      owner = { ...owner, ...changes };
      writeOwner(dataDir, owner);
    },
    release() {
      rmSync(ownerPath(dataDir), { force: true });
      heldLocks.delete(lock);
      lock.close();
    },
  };
}

/** The owner that runs now, null when there is none. */
export function readLiveOwner(dataDir: string): Owner | null {
  const owner = readOwner(dataDir);
  return owner !== null && isRunning(owner) ? owner : null;
}

async function acquireLock(dataDir: string): Promise<DatabaseSync> {
  const deadline = Date.now() + LOCK_PATIENCE_MS;
  for (;;) {
    const lock = tryLock(join(dataDir, 'owner.lock'));
    if (lock !== null) {
      heldLocks.add(lock);
      return lock;
    }
    const holder = readLiveOwner(dataDir);
    if (holder !== null) throw heldError(dataDir, holder);
    if (Date.now() >= deadline) throw heldError(dataDir, null);
    await sleep(50);
  }
}

function tryLock(path: string): DatabaseSync | null {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    giveToOwnerOfFolder(path);
    // SQLite opens a file that it may not write all the same, and then locks nothing.
    accessSync(path, constants.W_OK);
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return null;
    throw new EmbeddedPostgresError(
      `Cannot lock ${path} (${faultCode(error)}): set DATABASE_URL, or move the data folder.`,
    );
  }
}

function heldError(dataDir: string, holder: Owner | null): EmbeddedPostgresError {
  const who =
    holder === null
      ? 'another process'
      : `pid ${holder.pid} (${holder.purpose}, since ${holder.startedAt}, command: ${holder.command})`;
  return new EmbeddedPostgresError(
    `The database in ${dataDir} is in use by ${who}: stop that process first, or set DATABASE_URL.`,
  );
}

function readOwner(dataDir: string): Owner | null {
  try {
    const owner: unknown = JSON.parse(readFileSync(ownerPath(dataDir), 'utf8'));
    return isOwner(owner) ? owner : null;
  } catch {
    return null;
  }
}

function isOwner(value: unknown): value is Owner {
  return typeof value === 'object' && value !== null && 'pid' in value && 'startTime' in value && 'guardian' in value;
}

function writeOwner(dataDir: string, owner: Owner): void {
  const path = ownerPath(dataDir);
  // Written aside and renamed, so that a reader never sees half a file.
  writeFileSync(`${path}.new`, `${JSON.stringify(owner, null, 2)}\n`);
  giveToOwnerOfFolder(`${path}.new`);
  renameSync(`${path}.new`, path);
}

function ownerPath(dataDir: string): string {
  return join(dataDir, 'owner.json');
}

/** As root: hands a file to the user whose folder it is in, so that this user can start next time. */
export function giveToOwnerOfFolder(path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(join(path, '..'));
  chownSync(path, uid, gid);
}
