// The user that Postgres runs as. Postgres refuses uid 0, so root starts it as somebody else.
import { spawnSync } from 'node:child_process';
import { lchownSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedPostgresError, faultCode } from './embedded-postgres-error.ts';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

export interface DatabaseUser {
  readonly uid: number;
  readonly gid: number;
  /** Any command, to be run as this user. */
  command(file: string, args: readonly string[]): Command;
  /** Null when this user can enter the folder, else why not. */
  cannotEnter(folder: string): string | null;
  /** As root: gives a folder and all in it to this user. */
  takeOver(folder: string): void;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

const NOBODY: Account = { uid: 65_534, gid: 65_534 };

/** Who runs Postgres for `dataDir`, proven by running `postgres --version` from there. */
export function resolveDatabaseUser(dataDir: string, postgres: string): DatabaseUser {
  const uid = process.getuid?.() ?? -1;
  if (uid !== 0) return ordinaryUser(uid, process.getgid?.() ?? -1, dataDir);
  const account = chooseAccount(dataDir);
  const direct = plainUser(account);
  const fault = probe(direct, dataDir, postgres);
  if (fault === null) return direct;
  const privileged = privateParentUser(account);
  if (probe(privileged, dataDir, postgres) === null) return privileged;
  throw new EmbeddedPostgresError(
    `Postgres cannot run as root, and user ${nameOf(account.uid)} cannot reach ${dataDir} (${fault}): ` +
      'move the project to a folder that others may enter, start as an ordinary user, or set DATABASE_URL.',
  );
}

function ordinaryUser(uid: number, gid: number, dataDir: string): DatabaseUser {
  const owner = ownerOf(join(dataDir, 'postgres')) ?? { uid, gid };
  if (owner.uid !== uid) {
    throw new EmbeddedPostgresError(
      `The database in ${dataDir} belongs to user ${nameOf(owner.uid)}, and this is user ${nameOf(uid)}: ` +
        'start as that user (or as root), remove the folder, or set DATABASE_URL.',
    );
  }
  return { uid, gid, command: (file, args) => ({ file, args }), cannotEnter: () => null, takeOver: () => {} };
}

function chooseAccount(dataDir: string): Account {
  const owners = [ownerOf(join(dataDir, 'postgres')), ownerOf(dataDir)];
  return owners.find((owner) => owner !== null && owner.uid !== 0) ?? findAccount('postgres') ?? NOBODY;
}

function plainUser(account: Account): DatabaseUser {
  return rootsUser(account, (file, args) => ({ file, args, ...account }));
}

function rootsUser(account: Account, command: DatabaseUser['command']): DatabaseUser {
  return {
    ...account,
    command,
    cannotEnter: (folder) => runAs(command('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder])),
    takeOver: (folder) => giveTree(folder, account),
  };
}

// For a project under a folder that only root may enter: Postgres gets the one capability to pass it. It looks for its own
// files with access(2), which forgets capabilities unless no_setuid_fixup is set (measured: without it "could not locate my
// own executable path").
function privateParentUser(account: Account): DatabaseUser {
  const privileges = [
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
    '--securebits=+no_setuid_fixup',
    '--',
  ];
  return rootsUser(account, (file, args) => ({ file: 'setpriv', args: [...privileges, file, ...args] }));
}

// The postgres binary is asked as well, since node_modules may be as private as the data folder.
function probe(user: DatabaseUser, dataDir: string, postgres: string): string | null {
  const script = 'cd -- "$1" && exec "$2" --version';
  return runAs(user.command('/bin/sh', ['-c', script, 'sh', dataDir, postgres]));
}

/** Null when the command succeeds, else what went wrong. */
function runAs({ file, args, ...account }: Command): string | null {
  const result = spawnSync(file, args, { ...account, cwd: '/', encoding: 'utf8' });
  if (result.error !== undefined) return `cannot switch to that user: ${faultCode(result.error)}`;
  return result.status === 0 ? null : lastLine(result.stderr) || `exit code ${result.status}`;
}

function giveTree(folder: string, account: Account): void {
  try {
    for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      lchownSync(join(folder, entry), account.uid, account.gid);
    }
    lchownSync(folder, account.uid, account.gid);
  } catch (error) {
    throw new EmbeddedPostgresError(
      `Cannot give ${folder} to user ${nameOf(account.uid)} (${faultCode(error)}): start as an ordinary user, or set DATABASE_URL.`,
    );
  }
}

function ownerOf(path: string): Account | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? null : { uid: stats.uid, gid: stats.gid };
}

function findAccount(name: string): Account | null {
  const fields = readAccounts().find(([account]) => account === name);
  return fields === undefined ? null : { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** The name of a user for messages, with its uid. */
export function nameOf(uid: number): string {
  const fields = readAccounts().find((account) => Number(account[2]) === uid);
  return fields === undefined ? `uid ${uid}` : `${fields[0]} (uid ${uid})`;
}

function readAccounts(): string[][] {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
    return lines.filter((line) => line.includes(':')).map((line) => line.split(':'));
  } catch {
    return [];
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
