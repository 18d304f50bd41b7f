/** Whether an inference server answers: asked again and again, and at once when something looks like an outage. */
import { ExponentialBackoff, handleAll, retry } from 'cockatiel';

export interface AvailabilityOptions {
  /** Asks the server; rejects when it does not answer. */
  check(signal: AbortSignal): Promise<void>;
  /** Milliseconds between checks while it answers. */
  readonly pollMs: number;
  /** After each check. Must not throw. */
  onCheck(isUp: boolean, error?: unknown): void;
}

export interface Availability {
  /** The last check succeeded, and nothing looked like an outage since. */
  readonly isUp: boolean;
  /** The last check failed. */
  readonly isDown: boolean;
  /** Resolves after the first check, whatever came of it. */
  readonly started: Promise<void>;
  /** Something looks like an outage: the server is asked now. */
  suspect(): void;
  close(): void;
}

/** The circuit breaker of a server, as db/availability.ts: one lost request is a suspicion, and a check decides. */
export function watchAvailability({ check, pollMs, onCheck }: AvailabilityOptions): Availability {
  const ending = new AbortController();
  // Jittered. A server that is back is seen within a second, or the time between checks when that is less.
  const backoff = new ExponentialBackoff({ initialDelay: 50, maxDelay: Math.min(1_000, pollMs) });
  const untilUp = retry(handleAll, { maxAttempts: Number.POSITIVE_INFINITY, backoff }).dangerouslyUnref();
  const started = Promise.withResolvers<void>();
  let state: 'unknown' | 'up' | 'down' = 'unknown';
  let isSuspected = false;
  let wake = () => {};

  async function attempt(): Promise<void> {
    if (ending.signal.aborted) return;
    isSuspected = false;
    try {
      await check(ending.signal);
      state = 'up';
      if (!ending.signal.aborted) onCheck(true);
    } catch (error) {
      state = 'down';
      if (!ending.signal.aborted) onCheck(false, error);
      throw error;
    } finally {
      started.resolve();
    }
  }

  async function watch(): Promise<void> {
    while (!ending.signal.aborted) {
      await untilUp.execute(attempt, ending.signal).catch(() => {});
      if (!isSuspected) await pause();
    }
  }

  function pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, pollMs).unref();
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  }

  void watch();
  return {
    get isUp() {
      return state === 'up' && !isSuspected;
    },
    get isDown() {
      return state === 'down';
    },
    started: started.promise,
    suspect() {
      isSuspected = true;
      wake();
    },
    close() {
      ending.abort();
      wake();
    },
  };
}
