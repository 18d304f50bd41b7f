import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import { overloaded } from '../errors.ts';
import { type Availability, createAvailability } from './availability.ts';
import type {
  Bounds,
  ConnectionTarget,
  Database,
  Pool,
  PoolStats,
  Statement,
  StatementListener,
  Value,
} from './client.ts';
import { Connection } from './connection.ts';
import { isRetriable, publicFailure, unavailable } from './failures.ts';
import { runTransaction } from './transaction.ts';

export interface PoolOptions {
  connection: ConnectionTarget;
  /** Most connections. */
  size: number;
  /** Most statements and transactions that wait for one. Default: 1000. */
  queueSize?: number;
  onStatement?: StatementListener;
  /** Told when the server stops answering and when it answers again. */
  onAvailability?: (isUp: boolean, error?: unknown) => void;
}

/** Nothing was answered for so long while statements run: the server may be frozen. */
const stallMs = 2_000;
const freshMs = 1_000;
const closeGraceMs = 5_000;
const begin: Statement = { name: 'begin', text: 'begin', isPrepared: false };

/**
 * Connects lazily: a pool costs nothing until its first statement. One statement at a time on a connection, so that a
 * cancel can only meet the statement it is meant for.
 */
export function createPool(options: PoolOptions): Pool {
  return new ConnectionPool(options);
}

interface Waiter {
  resolve(connection: Connection): void;
  reject(error: unknown): void;
}

class ConnectionPool implements Pool {
  readonly #options: PoolOptions;
  readonly #queueSize: number;
  readonly #open = new Set<Connection>();
  // The one used last is used next: the others stay idle together and can be given up.
  readonly #idle: Connection[] = [];
  // A set keeps the order of arrival and drops who left without a search.
  readonly #waiters = new Set<Waiter>();
  readonly #availability: Availability;
  readonly #stallCheck: NodeJS.Timeout;
  #lastAnswerAt = Number.NEGATIVE_INFINITY;
  #isClosing = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queueSize = options.queueSize ?? 1_000;
    this.#availability = createAvailability(options.connection, (isUp, error) => this.#onAvailability(isUp, error));
    this.#stallCheck = setInterval(() => this.#checkStall(), stallMs / 4).unref();
  }

  run<Row>(statement: Statement, values: readonly Value[]): Promise<Row[]> {
    return this.#run(statement, values, null);
  }

  transaction<Result>(work: (transaction: Database) => Promise<Result>): Promise<Result> {
    return this.#transaction(work, null);
  }

  within({ signal, organizationId }: Bounds): Database {
    return {
      run: async (statement, values) => {
        requireOrganization(statement, values, organizationId);
        return this.#run(statement, values, signal);
      },
      transaction: (work) => this.#transaction((transaction) => work(guarded(transaction, organizationId)), signal),
    };
  }

  stats(): PoolStats {
    const open = this.#open.size;
    return {
      size: this.#options.size,
      open,
      running: open - this.#idle.length,
      waiting: this.#waiters.size,
      isUp: this.#availability.isUp,
    };
  }

  async isAnswering(): Promise<boolean> {
    const { isUp } = this.#availability;
    return isUp && performance.now() - this.#lastAnswerAt > freshMs ? this.#availability.check() : isUp;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#stallCheck);
    this.#availability.close();
    this.#rejectWaiters();
    const limit = performance.now() + closeGraceMs;
    while (this.#open.size > this.#idle.length && performance.now() < limit) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const open = [...this.#open];
    this.#open.clear();
    await Promise.all(open.map((connection) => connection.end()));
  }

  async #run<Row>(statement: Statement, values: readonly Value[], signal: AbortSignal | null): Promise<Row[]> {
    const startedAt = performance.now();
    const isRead = statement.isRead ?? false;
    let failure: unknown;
    try {
      return await this.#withRetries(isRead, signal, () => this.#runOnce<Row>(statement, values, signal));
    } catch (error) {
      failure = error;
      throw publicFailure(error, isRead) ?? error;
    } finally {
      this.#options.onStatement?.(statement, performance.now() - startedAt, failure);
    }
  }

  /** Three attempts at most, the second at once. Only a failure pays for the policy: the first runs without it. */
  async #withRetries<Result>(
    isRead: boolean,
    signal: AbortSignal | null,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!isRetriable(error, isRead) || signal?.aborted) throw error;
      const policy = retry(
        handleWhen((reason) => isRetriable(reason, isRead) && this.#availability.isUp),
        { maxAttempts: 1, backoff: new ExponentialBackoff({ initialDelay: 20, maxDelay: 200 }) },
      );
      return policy.execute(work, signal ?? undefined);
    }
  }

  async #runOnce<Row>(statement: Statement, values: readonly Value[], signal: AbortSignal | null): Promise<Row[]> {
    const connection = await this.#acquire(signal);
    try {
      return await connection.run<Row>(statement, values, signal);
    } finally {
      this.#release(connection);
    }
  }

  async #transaction<Result>(
    work: (transaction: Database) => Promise<Result>,
    signal: AbortSignal | null,
  ): Promise<Result> {
    const { onStatement } = this.#options;
    try {
      // Nothing has happened before it began, so it may begin again like a read.
      const connection = await this.#withRetries(true, signal, () => this.#begin(signal));
      try {
        return await runTransaction({ connection, signal, onStatement }, work);
      } finally {
        this.#release(connection);
      }
    } catch (error) {
      throw publicFailure(error, false) ?? error;
    }
  }

  async #begin(signal: AbortSignal | null): Promise<Connection> {
    const connection = await this.#acquire(signal);
    try {
      await connection.run(begin, [], signal);
      return connection;
    } catch (error) {
      // A begin that was cancelled may have begun: the next user would find itself in an aborted transaction.
      connection.destroy();
      this.#release(connection);
      throw error;
    }
  }

  #acquire(signal: AbortSignal | null): Connection | Promise<Connection> {
    if (signal?.aborted) throw signal.reason;
    if (this.#isClosing || !this.#availability.isUp) throw unavailable();
    if (this.#open.size === this.#idle.length) this.#lastAnswerAt = performance.now();
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (!idle.isLost) return idle;
      this.#open.delete(idle);
    }
    if (this.#open.size < this.#options.size) return this.#connect();
    if (this.#waiters.size >= this.#queueSize) {
      throw overloaded('Too much waits for the database already; try again soon');
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (connection) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(connection);
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      const onAbort = () => {
        this.#waiters.delete(waiter);
        waiter.reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort);
      this.#waiters.add(waiter);
    });
  }

  #connect(): Connection {
    const connection = new Connection(this.#options.connection, {
      onAnswer: () => {
        this.#lastAnswerAt = performance.now();
      },
      onOutage: () => this.#availability.suspect(),
    });
    this.#open.add(connection);
    return connection;
  }

  #release(connection: Connection): void {
    const { interruption } = connection;
    if (interruption && !connection.isLost) {
      void interruption.then(() => this.#release(connection));
      return;
    }
    const [waiter] = this.#waiters;
    if (connection.isLost || connection.isOld) {
      this.#open.delete(connection);
      if (!connection.isLost) void connection.end();
      if (!waiter) return;
      this.#waiters.delete(waiter);
      waiter.resolve(this.#connect());
    } else if (waiter) {
      this.#waiters.delete(waiter);
      waiter.resolve(connection);
    } else this.#idle.push(connection);
  }

  #rejectWaiters(): void {
    for (const waiter of this.#waiters) waiter.reject(unavailable());
    this.#waiters.clear();
  }

  #onAvailability(isUp: boolean, error: unknown): void {
    if (!isUp) {
      this.#rejectWaiters();
      for (const connection of this.#idle.splice(0)) {
        this.#open.delete(connection);
        connection.destroy();
      }
    }
    this.#options.onAvailability?.(isUp, error);
  }

  #checkStall(): void {
    const isAtWork = this.#open.size > this.#idle.length;
    if (isAtWork && performance.now() - this.#lastAnswerAt > stallMs) this.#availability.suspect();
  }
}

/** The second wall between organizations, behind the statements themselves. */
function requireOrganization(statement: Statement, values: readonly Value[], organizationId: string | null): void {
  const index = statement.organizationIndex ?? -1;
  if (index < 0 || organizationId === null || values[index] !== organizationId) {
    throw new Error(`${statement.name} does not name the viewer's organization`);
  }
}

function guarded(database: Database, organizationId: string | null): Database {
  return {
    run: async (statement, values) => {
      requireOrganization(statement, values, organizationId);
      return database.run(statement, values);
    },
    transaction: (work) => database.transaction((nested) => work(guarded(nested, organizationId))),
  };
}
