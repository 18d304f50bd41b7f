import { ExponentialBackoff, handleAll, retry } from 'cockatiel';
import { Connection } from './connection.ts';
import type { ConnectionTarget } from './database.ts';
import { isUnreachable } from './failures.ts';

const pingTimeoutMs = 1_000;
// Jittered; with the ping's own limit a server that is back is seen within 1.4 s.
const backoff = new ExponentialBackoff({ initialDelay: 50, maxDelay: 400 });

export interface Availability {
  readonly isUp: boolean;
  /** Something looks like an outage: asks the server on a connection of its own, once at a time. */
  suspect(): void;
  /** Asks once; whether it is up. */
  check(): Promise<boolean>;
  close(): void;
}

/**
 * The circuit breaker of a pool. Statements do not trip it by themselves: a suspicion is checked by a ping, so that one
 * lost connection takes nothing down, and while the server is down only pings try it. `onChange` hears of both turns.
 */
export function createAvailability(
  target: () => ConnectionTarget,
  onChange: (isUp: boolean, error?: unknown) => void,
): Availability {
  const ending = new AbortController();
  const untilUp = retry(handleAll, { maxAttempts: Number.POSITIVE_INFINITY, backoff }).dangerouslyUnref();
  let isUp = true;
  let isProbing = false;
  let failures = 0;

  async function attempt(): Promise<void> {
    if (ending.signal.aborted) return;
    try {
      await ping(target());
    } catch (error) {
      failures += 1;
      // One ping's connection may be lost for a reason of its own.
      if (isUp && !ending.signal.aborted && (isUnreachable(error) || failures > 1)) {
        isUp = false;
        onChange(false, error);
      }
      throw error;
    }
  }

  async function probe(): Promise<void> {
    isProbing = true;
    failures = 0;
    await untilUp.execute(attempt, ending.signal).catch(() => {});
    isProbing = false;
    if (isUp || ending.signal.aborted) return;
    isUp = true;
    onChange(true);
  }

  return {
    get isUp() {
      return isUp;
    },
    suspect() {
      if (!isProbing && !ending.signal.aborted) void probe();
    },
    async check() {
      if (isUp) await attempt().catch(() => {});
      if (!isUp && !isProbing && !ending.signal.aborted) void probe();
      return isUp;
    },
    close: () => ending.abort(),
  };
}

/** Rejects when the server does not answer in time. An answer that is an error of the statement is an answer. */
async function ping(target: ConnectionTarget): Promise<void> {
  const connection = new Connection(target, { onAnswer: () => {}, onOutage: () => {} });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    connection.destroy();
  }, pingTimeoutMs);
  try {
    await connection.run({ name: 'ping', text: '/* ping */ select 1', isPrepared: false }, []);
  } catch (error) {
    if (isLate) throw Object.assign(new Error(`no answer within ${pingTimeoutMs} ms`), { code: 'ETIMEDOUT' });
    if ((error as { code?: string }).code !== '57014') throw error;
  } finally {
    clearTimeout(limit);
    connection.destroy();
  }
}
