import { connect as openTcp, type Socket } from 'node:net';
import postgres from 'postgres';
import type { ConnectionTarget, Statement, Value } from './database.ts';
import { isOutage } from './failures.ts';

const connectTimeoutMs = 3_000;
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
  canceller: ((query: unknown) => Promise<void>) | null;
};

/**
 * One connection of postgres.js: a client of its own that is thrown away when its connection is lost. The driver would
 * connect again by itself, but then a transaction could go on outside of itself, and bytes written just before the loss
 * are sent to the new connection (3.4.9). Its sockets are opened here so that a dead one can be destroyed.
 */
export class Connection {
  /** When its present holder got it, by performance.now(). */
  heldSince = 0;
  readonly #client: postgres.Sql;
  readonly #sockets = new Set<Socket>();
  readonly #interrupted = new Set<Promise<unknown>>();
  readonly #events: ConnectionEvents;
  // Each at a time of its own, so that the connections of a process do not end together.
  readonly #expiresAt = performance.now() + lifetimeMs * (1 + Math.random());
  #isLost = false;

  constructor(target: ConnectionTarget, events: ConnectionEvents) {
    this.#events = events;
    const options = {
      ...driverOptions,
      onclose: () => this.destroy(),
      socket: (parsed: SocketAddress) => this.#openSocket(parsed),
    } as postgres.Options<Record<string, postgres.PostgresType>>;
    this.#client = typeof target === 'string' ? postgres(target, options) : postgres({ ...target, ...options });
  }

  /** Old enough to make way for a new one once it is idle. */
  get isOld(): boolean {
    return performance.now() > this.#expiresAt;
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
   * Connects at the first statement. Rejects with the signal's reason as soon as it is aborted; the statement is then
   * cancelled, and `interruption` tells when that is over. Rejects, too, when the connection is lost on the way.
   */
  run<Row>(statement: Statement, values: readonly Value[], signal: AbortSignal | null = null): Promise<Row[]> {
    if (this.#isLost) return Promise.reject(lost());
    if (signal?.aborted) return Promise.reject(signal.reason);
    const query = this.#client.unsafe<Row[] & postgres.Row[]>(statement.text, values as never[], {
      prepare: statement.isPrepared ?? true,
    }) as unknown as Query<Row>;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#interrupt(query);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort);
      query.then(
        (rows) => {
          signal?.removeEventListener('abort', onAbort);
          this.#events.onAnswer();
          resolve(rows);
        },
        (error: unknown) => {
          signal?.removeEventListener('abort', onAbort);
          this.#onFailure(error);
          reject(error);
        },
      );
    });
  }

  /** Ends it at once: what runs on it rejects. */
  destroy(): void {
    this.#isLost = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends it politely, within a second. */
  async end(): Promise<void> {
    this.#isLost = true;
    await this.#client.end({ timeout: 1 });
    this.destroy();
  }

  #onFailure(error: unknown): void {
    if (isOutage(error)) {
      this.destroy();
      this.#events.onOutage();
    } else {
      this.#events.onAnswer();
      this.#reset();
    }
  }

  /**
   * After a statement that failed between two rows the driver (3.4.9) counts the next one's rows from there, and answers
   * with holes. A statement that comes to its end sets the count back; in a failed transaction its rollback does.
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

  async #openSocket({ path, host, port }: SocketAddress): Promise<Socket> {
    let failure: unknown;
    for (const [index, name] of host.entries()) {
      if (this.#isLost) break;
      try {
        return await this.#openOne(path ? { path } : { host: name, port: port[index]! }, name);
      } catch (error) {
        failure = error;
      }
    }
    throw failure ?? givenUp();
  }

  #openOne(address: { path: string } | { host: string; port: number }, host: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = openTcp({ ...address, noDelay: true });
      this.#sockets.add(socket);
      const fail = (error: Error) => {
        socket.destroy();
        reject(error);
      };
      const limit = setTimeout(() => {
        fail(Object.assign(new Error(`no connection within ${connectTimeoutMs} ms`), { code: 'CONNECT_TIMEOUT' }));
      }, connectTimeoutMs);
      socket.once('error', fail);
      socket.once('close', () => {
        clearTimeout(limit);
        this.#sockets.delete(socket);
        reject(givenUp());
      });
      socket.once('connect', () => {
        clearTimeout(limit);
        socket.off('error', fail);
        // The driver takes the name for the server's certificate from here.
        resolve(Object.assign(socket, { host }));
      });
    });
  }
}

/** Before anything was sent. */
function givenUp(): Error {
  return Object.assign(new Error('the connection was given up'), { code: 'CONNECTION_DESTROYED' });
}

function lost(): Error {
  return Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' });
}

interface SocketAddress {
  path: string | false | undefined;
  host: string[];
  port: number[];
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
