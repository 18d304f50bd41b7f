import { type Availability, createAvailability } from './availability.ts';
import { Caller } from './caller.ts';
import { Connection } from './connection.ts';
import { Connections } from './connections.ts';
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
import { publicFailure, unavailable } from './failures.ts';
import { noteRows } from './noting-database.ts';
import { guarded, requireOrganization } from './organization-wall.ts';
import { withRetries } from './retries.ts';
import { runTransaction } from './transaction.ts';

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
const freshMs = 1_000;
/** What answers more rows than that is no short read. */
const shortRows = 1_000;
const done = Promise.resolve();
const begin: Statement = { name: 'begin', text: 'begin', isPrepared: false };

/**
 * Connects lazily: a pool costs nothing until its first statement. Short reads of requests share connections
 * (pipelines.ts); all else has one for itself, so that a cancel can only meet the statement it is meant for.
 */
export function createPool(options: PoolOptions): Pool {
  return new ConnectionPool(options);
}

class ConnectionPool implements Pool {
  readonly #options: PoolOptions;
  readonly #connections: Connections;
  readonly #availability: Availability;
  readonly #stallCheck: NodeJS.Timeout;
  #isClosing = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    const { connection, size, queueSize = 1_000 } = options;
    const target = typeof connection === 'function' ? connection : () => connection;
    this.#connections = new Connections({ target, size, queueSize, onOutage: () => this.#availability.suspect() });
    this.#availability = createAvailability(target, (isUp, error) => this.#onAvailability(isUp, error));
    this.#stallCheck = setInterval(() => this.#checkStall(), stallMs / 4).unref();
  }

  run<Row>(statement: Statement, values: readonly Value[]): Promise<Row[]> {
    return this.#run(statement, values, new Caller(null));
  }

  transaction<Result>(work: (transaction: Database) => Promise<Result>): Promise<Result> {
    return this.#transaction(work, new Caller(null));
  }

  within({ signal, organizationId, onRun }: Bounds): Database {
    const caller = new Caller(signal);
    return {
      run: <Row>(statement: Statement, values: readonly Value[]) => {
        try {
          requireOrganization(statement, values, organizationId);
        } catch (error) {
          return Promise.reject(error);
        }
        if (!onRun) return this.#run<Row>(statement, values, caller);
        onRun(statement, values);
        return noteRows(this.#run<Row>(statement, values, caller), statement, values, onRun);
      },
      transaction: (work) => this.#transaction((transaction) => work(guarded(transaction, organizationId)), caller),
    };
  }

  stats(): PoolStats {
    const { open, running, waiting } = this.#connections;
    return { size: this.#options.size, open, running, waiting, isUp: this.#availability.isUp };
  }

  isFull(): boolean {
    return this.#connections.isFull();
  }

  async isAnswering(): Promise<boolean> {
    const { isUp } = this.#availability;
    const isStale = performance.now() - this.#connections.lastAnswerAt > freshMs;
    return isUp && isStale ? this.#availability.check() : isUp;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#stallCheck);
    this.#availability.close();
    this.#connections.refuseWaiting();
    await this.#connections.end();
  }

  #run<Row>(statement: Statement, values: readonly Value[], caller: Caller): Promise<Row[]> {
    const startedAt = performance.now();
    const first = this.#runOnce<Row>(statement, values, caller);
    const { onStatement, onWrite } = this.#options;
    if (onWrite && !statement.isRead) return this.#complete(first, startedAt, statement, values, caller);
    // What nearly every statement comes to, without the promises of the rest.
    return first.then(
      (rows) => {
        onStatement?.(statement, performance.now() - startedAt, undefined);
        return rows;
      },
      () => this.#complete(first, startedAt, statement, values, caller),
    );
  }

  /** The rest of a statement after its first attempt. */
  async #complete<Row>(
    first: Promise<Row[]>,
    startedAt: number,
    ...[statement, values, caller]: [Statement, readonly Value[], Caller]
  ): Promise<Row[]> {
    const isRead = statement.isRead ?? false;
    const again = () => this.#runOnce<Row>(statement, values, caller);
    let failure: unknown;
    try {
      const rows = await withRetries(first, again, { isRead, caller, isUp: () => this.#availability.isUp });
      await this.#tellWritten(statement, values, rows);
      return rows;
    } catch (error) {
      failure = error;
      throw publicFailure(error, isRead) ?? error;
    } finally {
      this.#options.onStatement?.(statement, performance.now() - startedAt, failure);
    }
  }

  #runOnce<Row>(statement: Statement, values: readonly Value[], caller: Caller): Promise<Row[]> {
    const shared = this.#share(statement, values, caller);
    if (shared) return shared.run<Row>(statement, values, caller);
    const connection = this.#acquire(caller);
    return connection instanceof Connection
      ? this.#runOn(connection, statement, values, caller)
      : connection.then((free) => this.#runOn(free, statement, values, caller));
  }

  #runOn<Row>(
    connection: Connection,
    ...[statement, values, caller]: [Statement, readonly Value[], Caller]
  ): Promise<Row[]> {
    return connection.run<Row>(statement, values, caller).then(
      (rows) => {
        this.#connections.release(connection);
        return rows;
      },
      (error) => {
        // Without an answer it may have been done, or may be yet: known when what was interrupted is over.
        const isAnswered = (error as Error | null)?.name === 'PostgresError';
        if (!isAnswered) void (connection.interruption ?? done).then(() => this.#tellWritten(statement, values, null));
        this.#connections.release(connection);
        throw error;
      },
    );
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
      const connection = await withRetries(this.#begin(caller), () => this.#begin(caller), {
        isRead: true,
        caller,
        isUp: () => this.#availability.isUp,
      });
      try {
        return await runTransaction({ connection, caller, ...told }, work);
      } finally {
        this.#connections.release(connection);
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
      await connection.run(begin, [], caller);
      return connection;
    } catch (error) {
      // A begin that was cancelled may have begun: the next user would find itself in an aborted transaction.
      connection.destroy();
      this.#connections.release(connection);
      throw error;
    }
  }

  /** null: it needs a connection for itself, or must be refused. */
  #share({ mostRows }: Statement, values: readonly Value[], caller: Caller): Connection | null {
    if (!mostRows || !caller.signal || caller.isGone || !this.#isOpen()) return null;
    return mostRows(values) <= shortRows ? this.#connections.share(caller) : null;
  }

  #isOpen(): boolean {
    return !this.#isClosing && this.#availability.isUp;
  }

  #acquire(caller: Caller): Connection | Promise<Connection> {
    try {
      if (caller.isGone) throw caller.signal?.reason;
      if (!this.#isOpen()) throw unavailable();
      return this.#connections.acquire(caller);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #onAvailability(isUp: boolean, error: unknown): void {
    if (!isUp) this.#connections.giveUp();
    this.#options.onAvailability?.(isUp, error);
  }

  #checkStall(): void {
    this.#connections.tend();
    const { running, lastAnswerAt } = this.#connections;
    if (running > 0 && performance.now() - lastAnswerAt > stallMs) this.#availability.suspect();
  }
}
