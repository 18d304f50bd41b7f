// One installation of node_modules at a time; for launch.mjs, so without packages.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const modules = join(root, 'node_modules');
/** A folder that git ignores and an installation leaves alone. */
export const scratch = join(root, '.data');

const installLock = join(scratch, 'install.lock');

/** A fault that is told in one line. */
export class LaunchError extends Error {}

/** Waits for an installation of another launch; a lock whose processes have ended is taken over. */
export async function takeInstallLock() {
  checkWritable();
  let hasTold = false;
  while (!tryInstallLock()) {
    const holders = readInstallLock();
    if (holders === null) continue;
    if (holders.list.some(isRunning)) {
      if (!hasTold) process.stderr.write(`Waiting for the installation of pid ${holders.list[0].pid}…\n`);
      hasTold = true;
      await new Promise((resolve) => setTimeout(resolve, 200));
    } else {
      removeStaleLock(holders.text);
    }
  }
}

function checkWritable() {
  try {
    accessSync(root, constants.W_OK);
    if (existsSync(modules)) accessSync(modules, constants.W_OK);
    mkdirSync(scratch, { recursive: true });
    accessSync(scratch, constants.W_OK);
  } catch (error) {
    throw new LaunchError(
      `Cannot install packages: ${error.path || root} is not writable (${error.code}). Make it writable for this user, or install as its owner.`,
    );
  }
}

// A link of a finished file, so that the lock is never seen without its content.
function tryInstallLock() {
  const draft = writeDraft([process.pid]);
  try {
    linkSync(draft, installLock);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw new LaunchError(`Cannot lock the installation with ${installLock} (${error.code}).`);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Names the processes that the lock stands for, so that it holds until all of them have ended. */
export function writeInstallLock(pids) {
  renameSync(writeDraft(pids), installLock);
}

function writeDraft(pids) {
  const draft = `${installLock}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(pids.map((pid) => ({ pid, startTime: startTimeOf(pid) }))));
  return draft;
}

function readInstallLock() {
  let text = null;
  try {
    text = readFileSync(installLock, 'utf8');
    return { text, list: JSON.parse(text) };
  } catch {
    // Gone already, or cut off by a full disk.
    return text === null ? null : { text, list: [] };
  }
}

function isRunning(holder) {
  return holder.startTime !== null && startTimeOf(holder.pid) === holder.startTime;
}

// Two launches may find the same stale lock: the one that moved a fresh lock away by mistake puts it back.
function removeStaleLock(text) {
  const aside = `${installLock}.${process.pid}.stale`;
  try {
    renameSync(installLock, aside);
    if (readFileSync(aside, 'utf8') !== text) linkSync(aside, installLock);
  } catch {
    // Somebody else was faster.
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Tells two processes of the same pid apart; null when there is none. */
function startTimeOf(pid) {
  if (process.platform !== 'linux') {
    return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout || null;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : fields[19];
  } catch {
    return null;
  }
}

/** Gives the lock free. */
export function releaseInstallLock() {
  rmSync(installLock, { force: true });
}
