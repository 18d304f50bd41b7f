import { isRunning, type ProcessIdentity, waitForEnd } from './process-identity.ts';

// A fast shutdown writes a checkpoint: seconds when much was loaded just before.
const FAST_SHUTDOWN_MS = 30_000;
const IMMEDIATE_SHUTDOWN_MS = 5_000;

/** The longest time that `stopPostgres` takes. */
export const STOP_LIMIT_MS = FAST_SHUTDOWN_MS + 2 * IMMEDIATE_SHUTDOWN_MS;

/** Ends a Postgres server: fast shutdown, then immediate, then SIGKILL. False when even that did not end it. */
export async function stopPostgres(server: ProcessIdentity): Promise<boolean> {
  return (
    (await endBy(server, 'SIGINT', FAST_SHUTDOWN_MS)) ||
    (await endBy(server, 'SIGQUIT', IMMEDIATE_SHUTDOWN_MS)) ||
    (await endBy(server, 'SIGKILL', IMMEDIATE_SHUTDOWN_MS))
  );
}

async function endBy(server: ProcessIdentity, signal: NodeJS.Signals, patienceMs: number): Promise<boolean> {
  if (!isRunning(server)) return true;
  try {
    process.kill(server.pid, signal);
  } catch {
    // It ended in between, or is not ours to stop: the wait tells which.
  }
  return waitForEnd(server, patienceMs);
}
