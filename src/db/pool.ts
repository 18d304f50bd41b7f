import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import { overloaded } from '../errors.ts';
import { type Availability, createAvailability } from './availability.ts';
import { Connection } from './connection.ts';
import type {
  Bounds,
  ConnectionTarget,
  Database,
  Pool,
  PoolStats,
  Statement,
  StatementListener,
  Value,
  WriteListener,
} from './database.ts';
import { isRetriable, publicFailure, unavailable } from './failures.ts';
import { guarded, requireOrganization } from './organization-wall.ts';
import { runTransaction } from './transaction.ts';
import { type Caller, WaitingLine } from './waiting-line.ts';

export interface PoolOptions {
  /** Where the server is, or what says where it is now. */
  connection: ConnectionTarget | (() => ConnectionTarget);
  /** Most connections. */
  size: number;
  /** Most statements and transactions that wait for one. Default: 1000. */
  queueSize?: number;
  onStatement?: StatementListener;
  onWrite?: WriteListener | undefined;
  /** Told when the server stops answering and when it answers again. */
  onAvailability?: (isUp: boolean, error?: unknown) => void;
}

/** Nothing was answered for so long while statements run: the server may be frozen. */
const stallMs = 2_000;
/** Nobody new joins a line that takes longer. */
const maxWaitMs = 2_000;
/** Of the last hold in the mean of all. */
const holdWeight = 0.05;
const freshMs = 1_000;
const closeGraceMs = 5_000;
const done = Promise.resolve();
const begin: Statement = { name: 'begin', text: 'begin', isPrepared: false };

/**
 * Connects lazily: a pool costs nothing until its first statement. One statement at a time on a connection, so that a
 * cancel can only meet the statement it is meant for.
 */
export function createPool(options: PoolOptions): Pool {
  return new ConnectionPool(options);
}

/** What works for no request: it waits as long as it takes. */
function nobody(): Caller {
  return { signal: null, hasBegun: false };
}

class ConnectionPool implements Pool {
  readonly #options: PoolOptions;
  readonly #target: () => ConnectionTarget;
  readonly #queueSize: number;
  readonly #open = new Set<Connection>();
  // The one used last is used next: the others stay idle together and can be given up.
  readonly #idle: Connection[] = [];
  readonly #line = new WaitingLine();
  readonly #availability: Availability;
  readonly #stallCheck: NodeJS.Timeout;
  /** How long a connection was held lately. */
  #meanHoldMs = 0;
  #lastAnswerAt = Number.NEGATIVE_INFINITY;
  #isClosing = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queueSize = options.queueSize ?? 1_000;
    const { connection } = options;
    this.#target = typeof connection === 'function' ? connection : () => connection;
    this.#availability = createAvailability(this.#target, (isUp, error) => this.#onAvailability(isUp, error));
    this.#stallCheck = setInterval(() => this.#checkStall(), stallMs / 4).unref();
  }

  run<Row>(statement: Statement, values: readonly Value[]): Promise<Row[]> {
    return this.#run(statement, values, nobody());
  }

  transaction<Result>(work: (transaction: Database) => Promise<Result>): Promise<Result> {
    return this.#transaction(work, nobody());
  }

  within({ signal, organizationId, onRun }: Bounds): Database {
    const caller: Caller = { signal, hasBegun: false };
    return {
      run: async (statement, values) => {
        requireOrganization(statement, values, organizationId);
        onRun?.(statement, values);
        return this.#run(statement, values, caller);
      },
      transaction: (work) => this.#transaction((transaction) => work(guarded(transaction, organizationId)), caller),
    };
  }

  stats(): PoolStats {
    const open = this.#open.size;
    return {
      size: this.#options.size,
      open,
      running: open - this.#idle.length,
      waiting: this.#line.size,
      isUp: this.#availability.isUp,
    };
  }

  isFull(): boolean {
    const { size } = this.#options;
    const { size: waiting } = this.#line;
    // In statements, or in the time they will take: who would wait longer than that had better be told at once.
    return waiting >= this.#queueSize || (waiting >= size && (waiting * this.#meanHoldMs) / size > maxWaitMs);
  }

  async isAnswering(): Promise<boolean> {
    const { isUp } = this.#availability;
    return isUp && performance.now() - this.#lastAnswerAt > freshMs ? this.#availability.check() : isUp;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#stallCheck);
    this.#availability.close();
    this.#line.rejectAll(unavailable);
    const limit = performance.now() + closeGraceMs;
    while (this.#open.size > this.#idle.length && performance.now() < limit) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const open = [...this.#open];
    this.#open.clear();
    await Promise.all(open.map((connection) => connection.end()));
  }

  async #run<Row>(statement: Statement, values: readonly Value[], caller: Caller): Promise<Row[]> {
    const startedAt = performance.now();
    const isRead = statement.isRead ?? false;
    let failure: unknown;
    try {
      const rows = await this.#withRetries(isRead, caller, () => this.#runOnce<Row>(statement, values, caller));
      await this.#tellWritten(statement, values, rows);
      return rows;
    } catch (error) {
      failure = error;
      throw publicFailure(error, isRead) ?? error;
    } finally {
      this.#options.onStatement?.(statement, performance.now() - startedAt, failure);
    }
  }

  /** Three attempts at most, the second at once. Only a failure pays for the policy: the first runs without it. */
  async #withRetries<Result>(isRead: boolean, caller: Caller, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!isRetriable(error, isRead) || caller.signal?.aborted) throw error;
      const policy = retry(
        handleWhen((reason) => isRetriable(reason, isRead) && this.#availability.isUp),
        { maxAttempts: 1, backoff: new ExponentialBackoff({ initialDelay: 20, maxDelay: 200 }) },
      );
      return policy.execute(work, caller.signal ?? undefined);
    }
  }

  async #runOnce<Row>(statement: Statement, values: readonly Value[], caller: Caller): Promise<Row[]> {
    const connection = await this.#acquire(caller);
    try {
      return await connection.run<Row>(statement, values, caller.signal);
    } catch (error) {
      // Without an answer it may have been done, or may be yet: known when what was interrupted is over.
      const isAnswered = (error as Error | null)?.name === 'PostgresError';
      if (!isAnswered) void (connection.interruption ?? done).then(() => this.#tellWritten(statement, values, null));
      throw error;
    } finally {
      this.#release(connection);
    }
  }

  async #transaction<Result>(work: (transaction: Database) => Promise<Result>, caller: Caller): Promise<Result> {
    const { onStatement, onWrite } = this.#options;
    const written = new Set<string>();
    const onWritten = (tags: readonly string[]) => {
      for (const tag of tags) written.add(tag);
    };
    let isCommitting = false;
    const onCommit = () => {
      isCommitting = true;
    };
    const told = { onStatement, ...(onWrite && { onWritten, onCommit }) };
    try {
      // Nothing has happened before it began, so it may begin again like a read.
      const connection = await this.#withRetries(true, caller, () => this.#begin(caller));
      try {
        return await runTransaction({ connection, signal: caller.signal, ...told }, work);
      } finally {
        this.#release(connection);
        // Also when the commit's answer did not come: it may have been done.
        if (isCommitting && written.size > 0) await onWrite?.([...written]);
      }
    } catch (error) {
      throw publicFailure(error, false) ?? error;
    }
  }

  async #tellWritten(statement: Statement, values: readonly Value[], rows: readonly unknown[] | null): Promise<void> {
    const { onWrite } = this.#options;
    if (!onWrite || statement.isRead) return;
    const tags = statement.writtenTags?.(values, rows) ?? [];
    if (tags.length > 0) await onWrite(tags);
  }

  async #begin(caller: Caller): Promise<Connection> {
    const connection = await this.#acquire(caller);
    try {
      await connection.run(begin, [], caller.signal);
      return connection;
    } catch (error) {
      // A begin that was cancelled may have begun: the next user would find itself in an aborted transaction.
      connection.destroy();
      this.#release(connection);
      throw error;
    }
  }

  async #acquire(caller: Caller): Promise<Connection> {
    if (caller.signal?.aborted) throw caller.signal.reason;
    if (this.#isClosing || !this.#availability.isUp) throw unavailable();
    if (this.#open.size === this.#idle.length) this.#lastAnswerAt = performance.now();
    const connection = this.#takeIdle() ?? (await this.#waitFor(caller));
    caller.hasBegun = true;
    connection.heldSince = performance.now();
    return connection;
  }

  #takeIdle(): Connection | null {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (!idle.isLost) return idle;
      this.#open.delete(idle);
    }
    return this.#open.size < this.#options.size ? this.#connect() : null;
  }

  #waitFor(caller: Caller): Promise<Connection> {
    if (!caller.hasBegun && this.isFull()) {
      throw overloaded('Too much waits for the database already; try again soon');
    }
    return this.#line.wait(caller);
  }

  #connect(): Connection {
    const connection = new Connection(this.#target(), {
      onAnswer: () => {
        this.#lastAnswerAt = performance.now();
      },
      onOutage: () => this.#availability.suspect(),
    });
    this.#open.add(connection);
    return connection;
  }

  #release(connection: Connection): void {
    this.#meanHoldMs += (performance.now() - connection.heldSince - this.#meanHoldMs) * holdWeight;
    const { interruption } = connection;
    if (interruption && !connection.isLost) {
      void interruption.then(() => this.#release(connection));
      return;
    }
    const waiter = this.#line.take();
    if (connection.isLost || connection.isOld) {
      this.#open.delete(connection);
      if (!connection.isLost) void connection.end();
      waiter?.resolve(this.#connect());
    } else if (waiter) waiter.resolve(connection);
    else this.#idle.push(connection);
  }

  #onAvailability(isUp: boolean, error: unknown): void {
    if (!isUp) {
      this.#line.rejectAll(unavailable);
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
