import postgres from 'postgres';
import { LinkedList } from '../linked-list.ts';
import type { Caller } from './caller.ts';
import type { ConnectionTarget, Statement, Value } from './database.ts';
import { isOutage } from './failures.ts';
import type { RowColumn, RowTarget } from './row-decoder.ts';
import { connectTimeoutMs, type SocketAddress, Sockets } from './socket.ts';

const failedTransactionCode = '25P02';
const lifetimeMs = 30 * 60_000;

/** Who hears of a connection's life. */
export interface ConnectionEvents {
  /** The server answered, be it with an error of the statement. */
  onAnswer(): void;
  /** A statement failed by the server or the network. */
  onOutage(): void;
}

/** How long a server may take to react to a cancel, or to a rollback, before its connection is given up. */
export const interruptGraceMs = 1_000;

/**
 * What a pipeline runs has one plan for all values, but Postgres (18) plans a statement anew each time that it takes the values
 * at hand for cheaper than others: with 100,000 features, a page of those of a status rarer than the mean, 197 µs of its CPU
 * instead of 90, and 3,300 plans for 3,300 runs.
 */
const keepPlans = 'set plan_cache_mode = force_generic_plan';

/** A statement under way; the driver's cancel() drops the promise of the function it wraps, whose rejection would end the process. */
type Query = postgres.PendingQuery<postgres.Row[]> & {
  /** null until the driver has sent it. */
  readonly state: object | null;
  /** Whether what comes now is its answer. */
  readonly active: boolean;
  /** null until the driver has sent it; its columns are known when its first row comes. */
  readonly statement: { readonly columns: readonly RowColumn[] } | null;
  canceller: ((query: unknown) => Promise<void>) | null;
  /** Why the driver has sent it once more, behind all others: its plan is not what the tables are any more. */
  readonly retried?: Error;
};

/** A statement of a caller, from when it is given to the driver until the driver is done with it. */
interface Reading {
  readonly query: Query;
  readonly rows: unknown[];
  readonly caller: Caller;
  readonly reject: (error: Error) => void;
}

/**
 * One connection of postgres.js: a client of its own that is thrown away when its connection is lost. The driver would
 * connect again by itself, but then a transaction could go on outside of itself, and bytes written just before the loss
 * are sent to the new connection (3.4.9).
 */
export class Connection {
  /** When its present holder got it, by performance.now(). */
  heldSince = 0;
  readonly #client: postgres.Sql;
  readonly #sockets = new Sockets(() => this.#target());
  /** In the order in which they were sent: one, those that a transaction started at once, or those of a pipeline. */
  readonly #readings = new LinkedList<Reading>();
  readonly #interrupted = new Set<Promise<unknown>>();
  readonly #events: ConnectionEvents;
  /**
   * From when on it makes way for a new one once it is idle, by performance.now(). Each at a time of its own, so that the
   * connections of a process do not end together.
   */
  readonly expiresAt = performance.now() + lifetimeMs * (1 + Math.random());
  readonly #isPipeline: boolean;
  #underWaySince = 0;
  #isLost = false;

  /** @param isPipeline it takes reads of many callers, one behind the other, none of which is cancelled when its caller leaves */
  constructor(target: ConnectionTarget, events: ConnectionEvents, { isPipeline = false } = {}) {
    this.#events = events;
    this.#isPipeline = isPipeline;
    const options = {
      ...driverOptions,
      onclose: () => this.destroy(),
      socket: (address: SocketAddress) => this.#sockets.open(address),
    } as postgres.Options<Record<string, postgres.PostgresType>>;
    this.#client = typeof target === 'string' ? postgres(target, options) : postgres({ ...target, ...options });
    // Ahead of all others; without it they are planned as on any connection.
    if (isPipeline) this.#client.unsafe(keepPlans).catch(() => {});
  }

  /** It cannot run anything any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** How many statements of callers were sent and have not come to their end. */
  get underWay(): number {
    return this.#readings.size;
  }

  /** Since when the first of them has been under way, by performance.now(). */
  get underWaySince(): number {
    return this.#underWaySince;
  }

  /** Resolves when nothing that failed or was interrupted can touch a later statement; null: nothing did. */
  get interruption(): Promise<unknown> | null {
    return this.#interrupted.size === 0 ? null : Promise.all(this.#interrupted);
  }

  /**
   * Connects at the first statement. Rejects with the signal's reason as soon as the caller leaves; the statement is then
   * cancelled, and `interruption` tells when that is over; in a pipeline it is left to itself. Rejects, too, when the
   * connection is lost on the way.
   * The strings of a caller's rows may be slices of the whole answer, which they keep in memory; nobody's are their own.
   */
  run<Row>(statement: Statement, values: readonly Value[], caller: Caller | null = null): Promise<Row[]> {
    if (this.#isLost) return Promise.reject(lost());
    if (caller?.isGone) return Promise.reject(caller.signal?.reason);
    const query = this.#client.unsafe(statement.text, values as never[], {
      prepare: statement.isPrepared ?? true,
    }) as unknown as Query;
    return new Promise((resolve, reject) => {
      const reading = caller?.signal ? { query, rows: [], caller, reject } : null;
      if (this.#readings.size === 0) this.#underWaySince = performance.now();
      const link = reading && this.#readings.add(reading);
      const onDeparture = () => {
        reject(caller?.signal?.reason);
        if (!this.#isPipeline) this.#interrupt(query);
      };
      caller?.onDeparture(onDeparture);
      const end = () => {
        caller?.forget(onDeparture);
        if (!link) return;
        this.#readings.remove(link);
        this.#underWaySince = performance.now();
      };
      query.then(
        (rows) => {
          end();
          this.#events.onAnswer();
          if (this.#isPipeline && query.retried) this.#mixedUp(reject);
          else resolve((reading && reading.rows.length > 0 ? reading.rows : rows) as Row[]);
        },
        (error: unknown) => {
          end();
          if (this.#isPipeline && query.retried) this.#mixedUp(reject);
          this.#onFailure(error, reading !== null && this.#sockets.areRead);
          reject(error);
        },
      );
    });
  }

  /**
   * The first statement of a pipeline does not come to its end: those behind it reject as if the connection had been lost,
   * so that they run elsewhere, and it is cancelled when its caller has left.
   */
  relieve(): void {
    let first: Reading | null = null;
    for (const reading of this.#readings) {
      if (first === null) first = reading;
      else reading.reject(lost());
    }
    if (first?.caller.isGone && this.interruption === null) this.#interrupt(first.query);
  }

  /** Ends it at once: what runs on it rejects. */
  destroy(): void {
    this.#isLost = true;
    // The driver (3.4.9) would leave those that it has not sent without an end.
    for (const { reject } of this.#readings) reject(lost());
    if (this.#sockets.isTls) {
      // What is still written when the socket below TLS is gone is an error that nobody listens for, and ends the process.
      void this.#client.end({ timeout: 0 });
      setTimeout(() => this.#sockets.destroy(), interruptGraceMs).unref();
    } else this.#sockets.destroy();
  }

  /** Ends it politely, within a second. */
  async end(): Promise<void> {
    this.#isLost = true;
    await this.#client.end({ timeout: 1 });
    this.destroy();
  }

  #onFailure(error: unknown, isReadHere: boolean): void {
    if (isOutage(error)) {
      this.destroy();
      this.#events.onOutage();
    } else {
      this.#events.onAnswer();
      if (isReadHere) return;
      if (this.#isPipeline) this.destroy();
      else this.#reset();
    }
  }

  /**
   * After a statement that failed between two rows that it read the driver (3.4.9) counts the next one's rows from there,
   * and answers with holes. A statement that comes to its end sets the count back; in a failed transaction its rollback does.
   * In a pipeline the next one is sent already.
   */
  #reset(): void {
    const reset = this.#client.unsafe('select 1').then(
      () => {},
      (error: { code?: string }) => {
        if (error.code !== failedTransactionCode) this.destroy();
      },
    );
    this.#holdUntil(reset);
  }

  /** Whose rows come now; null: the driver reads them. */
  #target(): RowTarget | null {
    for (let link = this.#readings.first; link !== null; link = link.next) {
      const { query, rows, reject } = link.value;
      if (!query.active || !query.statement) continue;
      if (!this.#isPipeline || !query.retried) return { columns: query.statement.columns, rows };
      this.#mixedUp(reject);
      break;
    }
    return null;
  }

  /**
   * Two statements that the driver (3.4.9) sends once more in a pipeline have their answers mixed up: the first takes the
   * description of the second for its own, and the answer of what follows. So all of them run elsewhere.
   */
  #mixedUp(reject: (error: Error) => void): void {
    this.destroy();
    reject(lost());
  }

  #interrupt(query: Query): void {
    if (query.state === null) {
      // Not sent yet: the driver would keep the connection in limbo.
      this.destroy();
      return;
    }
    const limit = setTimeout(() => this.destroy(), interruptGraceMs);
    this.#holdUntil(Promise.allSettled([query, query.canceller?.(query)]).then(() => clearTimeout(limit)));
  }

  #holdUntil(end: Promise<void>): void {
    const held = end.then(() => void this.#interrupted.delete(held));
    this.#interrupted.add(held);
  }
}

function lost(): Error {
  return Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' });
}

/** Array types by their oid: statements take key lists as one array, so that every batch size is the same statement. */
const arrayTypes = Object.fromEntries(
  Object.entries({
    uuidArray: 2951,
    textArray: 1009,
    integerArray: 1007,
    doubleArray: 1022,
    timestamptzArray: 1185,
  }).map(([name, oid]) => [name, { to: oid, from: [oid], serialize: serializeArray, parse: (text: string) => text }]),
);

/**
 * Types that travel as the text they are. Timestamps stay what Postgres sends (UTC, microseconds): a Date would lose the
 * microseconds that cursors need. JSON is written once by its maker.
 */
const textTypes = {
  jsonb: { to: 3802, from: [3802], serialize: (value: string) => value, parse: (text: string) => JSON.parse(text) },
  timestamp: { to: 1184, from: [1082, 1114, 1184], serialize: (value: string) => value, parse: (text: string) => text },
};

/** How values travel; for whoever opens a connection of the driver itself. */
export const driverTypes = { ...arrayTypes, ...textTypes };

const driverOptions = {
  max: 1,
  // The pool gives connections up by age when they are idle.
  max_lifetime: null,
  connect_timeout: connectTimeoutMs / 1000,
  // The driver's own type fetch is a query nobody can handle when it is cancelled (a process has died of it);
  // the array types in use are declared above instead.
  fetch_types: false,
  types: driverTypes,
  connection: { application_name: 'tributary', TimeZone: 'UTC' },
  onnotice: () => {},
};

function serializeArray(values: readonly (string | number)[]): string {
  return `{${values.map((value) => (typeof value === 'number' ? String(value) : quoteElement(value))).join(',')}}`;
}

function quoteElement(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
