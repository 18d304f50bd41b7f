// What an owner that was killed may have left: a guardian that is just stopping Postgres, or a Postgres that nobody watches.
import { readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import type { Owner } from './owner.ts';
import { identifyProcess, isPostgresOf, waitForEnd } from './process-identity.ts';
import { removeSocketFolder } from './socket-folder.ts';
import { STOP_LIMIT_MS, stopPostgres } from './stop-postgres.ts';

/** Ends what is left of the previous owner's server; only the owner of the data folder may call it. */
export async function clearLeftovers(cluster: string, previous: Owner | null): Promise<void> {
  if (previous?.guardian) await waitForEnd(previous.guardian, STOP_LIMIT_MS + 5_000);
  await stopOrphan(cluster);
  if (previous?.socketDir) removeSocketFolder(previous.socketDir);
}

async function stopOrphan(cluster: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const pid = readPid(pidFile);
  if (pid === null) return;
  const server = identifyProcess(pid);
  if (server !== null && isPostgresOf(pid, realpathSync(cluster)) && !(await stopPostgres(server))) {
    throw new EmbeddedPostgresError(
      `An earlier Postgres (pid ${pid}) still runs on ${cluster} and does not stop: end it, or set DATABASE_URL.`,
    );
  }
  // Postgres would refuse to start while any process has the pid in this file.
  rmSync(pidFile, { force: true });
}

function readPid(pidFile: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    return pid > 0 ? pid : null;
  } catch {
    return null;
  }
}
