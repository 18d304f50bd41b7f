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

/** A statement under way; the driver's cancel() drops the promise of the function it wraps, whose rejection would end the process. */
type Query<Row> = postgres.PendingQuery<Row[] & postgres.Row[]> & {
  /** null until the driver has sent it. */
  readonly state: object | null;
  /** Whether what comes now is its answer. */
  readonly active: boolean;
  /** null until the driver has sent it; its columns are known when its first row comes. */
  readonly statement: { readonly columns: readonly RowColumn[] } | null;
  canceller: ((query: unknown) => Promise<void>) | null;
};

interface Reading {
  readonly query: Pick<Query<unknown>, 'active' | 'statement'>;
  readonly rows: unknown[];
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
  /** Statements whose rows are read here and not by the driver: one, or those that a transaction started at once. */
  readonly #readings = new LinkedList<Reading>();
  readonly #interrupted = new Set<Promise<unknown>>();
  readonly #events: ConnectionEvents;
  /**
   * From when on it makes way for a new one once it is idle, by performance.now(). Each at a time of its own, so that the
   * connections of a process do not end together.
   */
  readonly expiresAt = performance.now() + lifetimeMs * (1 + Math.random());
  #isLost = false;

  constructor(target: ConnectionTarget, events: ConnectionEvents) {
    this.#events = events;
    const options = {
      ...driverOptions,
      onclose: () => this.destroy(),
      socket: (address: SocketAddress) => this.#sockets.open(address),
    } as postgres.Options<Record<string, postgres.PostgresType>>;
    this.#client = typeof target === 'string' ? postgres(target, options) : postgres({ ...target, ...options });
  }

  /** It cannot run anything any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Resolves when nothing that failed or was interrupted can touch a later statement; null: nothing did. */
  get interruption(): Promise<unknown> | null {
    return this.#interrupted.size === 0 ? null : Promise.all(this.#interrupted);
  }

  /**
   * Connects at the first statement. Rejects with the signal's reason as soon as the caller leaves; the statement is then
   * cancelled, and `interruption` tells when that is over. Rejects, too, when the connection is lost on the way.
   * The strings of a caller's rows may be slices of the whole answer, which they keep in memory; nobody's are their own.
   */
  run<Row>(statement: Statement, values: readonly Value[], caller: Caller | null = null): Promise<Row[]> {
    if (this.#isLost) return Promise.reject(lost());
    if (caller?.isGone) return Promise.reject(caller.signal?.reason);
    const query = this.#client.unsafe<Row[] & postgres.Row[]>(statement.text, values as never[], {
      prepare: statement.isPrepared ?? true,
    }) as unknown as Query<Row>;
    const reading = caller?.signal ? { query, rows: [] as Row[] } : null;
    const link = reading && this.#readings.add(reading);
    return new Promise((resolve, reject) => {
      const onDeparture = () => {
        this.#interrupt(query);
        reject(caller?.signal?.reason);
      };
      caller?.onDeparture(onDeparture);
      const end = () => {
        caller?.forget(onDeparture);
        if (link) this.#readings.remove(link);
      };
      query.then(
        (rows) => {
          end();
          this.#events.onAnswer();
          resolve(reading && reading.rows.length > 0 ? reading.rows : rows);
        },
        (error: unknown) => {
          end();
          this.#onFailure(error, reading !== null && this.#sockets.areRead);
          reject(error);
        },
      );
    });
  }

  /** Ends it at once: what runs on it rejects. */
  destroy(): void {
    this.#isLost = true;
    this.#sockets.destroy();
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
      if (!isReadHere) this.#reset();
    }
  }

  /**
   * After a statement that failed between two rows that it read the driver (3.4.9) counts the next one's rows from there,
   * and answers with holes. A statement that comes to its end sets the count back; in a failed transaction its rollback does.
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
      const { query, rows } = link.value;
      if (query.active && query.statement) return { columns: query.statement.columns, rows };
    }
    return null;
  }

  #interrupt<Row>(query: Query<Row>): void {
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
