import type { Logger } from 'pino';

/** What the process has to end, and the way it ends. */
export interface Shutdown {
  readonly hasBegun: boolean;
  /** Why it has begun; null: it has not. */
  readonly reason: ShutdownReason | null;
  /** Runs before everything else: tells the world, and lets work in flight come to its end. */
  onDrain(drain: (reason: ShutdownReason) => Promise<unknown>): void;
  /** Ends a resource, those made last first. */
  onEnd(end: () => Promise<unknown>): void;
  begin(reason: ShutdownReason): Promise<void>;
}

/**
 * `deploy`: others take over, and have to learn of it (SIGTERM); `person`: at the terminal; `replacement`: another process
 * on the same port has taken over; `fault`: of our own.
 */
export type ShutdownReason = 'deploy' | 'person' | 'replacement' | 'fault';

/** What a signal means to a process that is alone. */
const signalReasons: Readonly<Partial<Record<NodeJS.Signals, ShutdownReason>>> = {
  SIGTERM: 'deploy',
  SIGINT: 'person',
  SIGHUP: 'person',
};

/** More than all limits of the parts together: whatever hangs then is left. */
const hardLimitMs = 30_000;

/**
 * Ends the process by signal or uncaught error: drained first, exit code 0, or 1 for a fault. A second signal ends it at
 * once. In place before anything starts, so that a signal during the start ends what has started so far.
 * @param reasons which signals end it, and why. Default: those of a process that is alone
 */
export function createShutdown(log: Logger, drainLimitMs: number, reasons = signalReasons): Shutdown {
  const drains: ((reason: ShutdownReason) => Promise<unknown>)[] = [];
  const ends: (() => Promise<unknown>)[] = [];
  let begun: ShutdownReason | null = null;

  async function begin(reason: ShutdownReason): Promise<void> {
    if (begun !== null) return;
    begun = reason;
    const exitCode = reason === 'fault' ? 1 : 0;
    setTimeout(() => {
      log.fatal('the end took too long');
      process.exit(1);
    }, drainLimitMs + hardLimitMs).unref();
    for (const next of drains)
      await next(reason).catch((error: unknown) => log.error({ err: error }, 'while draining'));
    for (const next of ends.reverse())
      await next().catch((error: unknown) => log.error({ err: error }, 'while ending'));
    process.exit(exitCode);
  }

  function onSignal(reason: ShutdownReason): void {
    if (begun !== null) process.exit(1);
    void begin(reason);
  }
  for (const [signal, reason] of Object.entries(reasons)) process.on(signal, () => onSignal(reason));
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught error');
    void begin('fault');
  });
  return {
    get hasBegun() {
      return begun !== null;
    },
    get reason() {
      return begun;
    },
    onDrain: (drain) => drains.push(drain),
    onEnd: (end) => ends.push(end),
    begin,
  };
}
