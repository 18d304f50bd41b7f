import { createClient, ErrorReply } from '@redis/client';
import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { StartupError } from '../errors.ts';

// Why these: a frozen Redis gets no more than breakAfterFailures commands; then the breaker keeps the socket silent for
// longer than deadSocketMs, so that the socket's idle timer ends it and a new one is tried. A Redis that is back is
// found within connectTimeoutMs + reconnectMaxMs, under 2 s.
const defaultCommandTimeoutMs = 250;
const deadlineParts = 5;
const breakAfterFailures = 3;
const halfOpenAfterMs = 1_200;
const pingIntervalMs = 300;
const deadSocketMs = 1_000;
const connectTimeoutMs = 1_000;
const reconnectMaxMs = 500;
/** Commands without an answer, of all callers: what a frozen Redis can cost in memory. */
const maxPendingCommands = 10_000;

export type RedisClient = ReturnType<typeof connectTo>;

/** `offline`: no connection; `open`: it did not answer lately; `full`: too many wait; `refused`: Redis answered with an error. */
export type RedisFailure = 'offline' | 'open' | 'timeout' | 'full' | 'refused' | 'connection';

/** Redis did not do it, or did not say so in time. The caller goes on without. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';
  readonly reason: RedisFailure;

  constructor(reason: RedisFailure, cause?: unknown) {
    super(`Redis is not available: ${reason}`, { cause });
    this.reason = reason;
  }
}

/** What Redis answered; null: it did not do it, or not in time. Other errors are thrown. */
export async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RedisUnavailable) return null;
    throw error;
  }
}

export interface Redis {
  /** For libraries that want a client when they are made; their commands belong into `run`. */
  readonly client: RedisClient;
  /** Whether a command would be sent now. */
  readonly isUp: boolean;
  /**
   * Runs commands that are good for nothing after commandTimeoutMs. One that is late may still have been done.
   * @throws RedisUnavailable, at once while there is no connection or Redis has not answered lately
   */
  run<T>(work: (client: RedisClient) => Promise<T>): Promise<T>;
  /** Ends the connection at once; what has no answer yet fails. */
  close(): void;
}

export interface RedisOptions {
  /** redis:// or rediss:// */
  url: string;
  log: Logger;
  registry: Registry;
  /**
   * Default: 250. On a machine that is busy a Redis that is well answers after 50 ms now and then, and who goes on without it
   * executes what is kept, which makes the machine busier: it did not come back from that.
   */
  commandTimeoutMs?: number;
}

/**
 * The connection of the process to Redis. It returns before there is one, tries again for ever, and never throws on its
 * own: only `run` says that Redis is away.
 * @throws StartupError for a URL that names no server
 */
export function createRedis(options: RedisOptions): Redis {
  const { url, log, registry, commandTimeoutMs = defaultCommandTimeoutMs } = options;
  const closing = new AbortController();
  const client = connectTo(url, closing.signal);
  const countFailure = createMetrics(registry, () => isUp());
  let breaker = createBreaker();
  const isUp = () => client.isReady && breaker.state === CircuitState.Closed;

  watch(client, { log, closing: closing.signal, onReady: () => (breaker = createBreaker()) });
  client.connect().catch(() => undefined);
  const fail = (reason: RedisFailure, cause?: unknown) => {
    countFailure(reason);
    return new RedisUnavailable(reason, cause);
  };
  return {
    client,
    get isUp() {
      return isUp();
    },
    async run(work) {
      if (!client.isReady) throw fail('offline');
      // One command probes a Redis that did not answer; cockatiel would let the others wait for it.
      if (breaker.state === CircuitState.HalfOpen) throw fail('open');
      try {
        return await breaker.execute(() => beforeDeadline(work(client), commandTimeoutMs));
      } catch (error) {
        throw fail(reasonOf(error), error);
      }
    },
    close() {
      if (closing.signal.aborted) return;
      // The signal first: it also ends a socket that is still connecting, which destroy() does not know.
      closing.abort();
      client.destroy();
    },
  };
}

function connectTo(url: string, signal: AbortSignal) {
  try {
    return createClient({
      url,
      disableOfflineQueue: true,
      commandsQueueMaxLength: maxPendingCommands,
      pingInterval: pingIntervalMs,
      socket: {
        connectTimeout: connectTimeoutMs,
        socketTimeout: deadSocketMs,
        reconnectStrategy: (retries) => Math.min(25 * 2 ** retries, reconnectMaxMs) * (0.5 + Math.random() / 2),
        signal,
      },
    });
  } catch {
    throw new StartupError('REDIS_URL is the value given: expected redis://user:password@host:port/database');
  }
}

/** Failures in a row open it; an error that Redis answered with is none. */
function createBreaker() {
  const isFailure = handleWhen((error) => !(error instanceof ErrorReply));
  return circuitBreaker(isFailure, {
    halfOpenAfter: halfOpenAfterMs,
    breaker: new ConsecutiveBreaker(breakAfterFailures),
  });
}

class DeadlineError extends Error {}

/**
 * Rejects when the answer is late. The step after a timer lets the event loop read its sockets first: after a pause of this
 * process an answer may lie there already, and is not late. And the time is waited for in parts, a late part being no longer
 * than the others: a process that is short of its core for half a second, as while V8 marks a large heap beside it, needs
 * several turns of its loop to send a command and to read what came.
 */
function beforeDeadline<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let partsLeft = deadlineParts;
    const waitOn = () => {
      partsLeft -= 1;
      if (partsLeft < 0) setImmediate(() => reject(new DeadlineError()));
      else timer = setTimeout(waitOn, timeoutMs / deadlineParts);
    };
    let timer: NodeJS.Timeout | undefined;
    waitOn();
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

interface Watch {
  log: Logger;
  closing: AbortSignal;
  onReady(): void;
}

/** Without a listener an `error` event would end the process. One line for each change, not for each try. */
function watch(client: RedisClient, { log, closing, onReady }: Watch): void {
  let isReported = false;
  client.on('error', (error: NodeJS.ErrnoException) => {
    if (isReported || closing.aborted) return;
    isReported = true;
    log.warn({ reason: error.code ?? error.message }, 'Redis is away: this process goes on without it');
  });
  client.on('ready', () => {
    isReported = false;
    onReady();
    log.info('connected to Redis');
  });
}

function createMetrics(registry: Registry, isUp: () => boolean): (reason: RedisFailure) => void {
  new Gauge({
    name: 'tributary_redis_up',
    help: '1 while Redis is connected and answers.',
    registers: [registry],
    aggregator: 'min',
    collect() {
      this.set(isUp() ? 1 : 0);
    },
  });
  const failures = new Counter({
    name: 'tributary_redis_failures_total',
    help: 'Pieces of work that Redis did not do, or not in time, by reason.',
    labelNames: ['reason'],
    registers: [registry],
  });
  return (reason) => failures.inc({ reason });
}

function reasonOf(error: unknown): RedisFailure {
  if (error instanceof BrokenCircuitError) return 'open';
  if (error instanceof DeadlineError) return 'timeout';
  if (error instanceof ErrorReply) return 'refused';
  if (error instanceof Error && error.message === 'The queue is full') return 'full';
  return 'connection';
}
