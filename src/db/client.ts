import postgres from 'postgres';

/** What a statement looks like to the driver: its name is for logs, metrics and tests, its text is prepared once per connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** false: planned anew for each run's values, at the price of a round trip. Default: true. */
  readonly isPrepared?: boolean;
}

export type Value = string | number | boolean | null | readonly string[] | readonly number[];

/** Told of every statement when it has ended; `milliseconds` includes the wait for a connection. */
export type StatementListener = (statement: Statement, milliseconds: number, error: unknown) => void;

/** Runs statements; a transaction is a Database too, so that queries need not know where they run. */
export interface Database {
  /** Runs one statement with its values in order ($1 first). Rows come in the statement's order. */
  run<Row>(statement: Statement, values: readonly Value[]): Promise<Row[]>;
  /** Runs all statements of `work` in one transaction; a rejection rolls all of it back. */
  transaction<Result>(work: (transaction: Database) => Promise<Result>): Promise<Result>;
}

/** What one request may do with the database. */
export interface Bounds {
  /** Aborted when the request is over: what waits is dropped, what runs is cancelled; its reason is thrown. */
  signal: AbortSignal;
  /** The organization of every statement; null: none may run. */
  organizationId: string | null;
}

/** A database that many requests share, each within its own bounds. */
export interface SharedDatabase extends Database {
  within(bounds: Bounds): Database;
}

export interface Pool extends SharedDatabase {
  /** Figures of the pool for metrics. */
  stats(): { size: number; running: number };
  close(): Promise<void>;
}

export interface PoolOptions {
  /** postgres:// URL, or the parts of a Unix-socket connection. */
  connection: string | { host: string; port: number; user: string; database: string };
  /** Most connections. */
  size: number;
  onStatement?: StatementListener;
}

/**
 * Connects lazily: a pool costs nothing until its first statement.
 * Timestamps stay the text Postgres sends (UTC, microseconds): a Date would lose the microseconds that cursors need.
 */
export function createPool({ connection, size, onStatement }: PoolOptions): Pool {
  const options: postgres.Options<Record<string, postgres.PostgresType>> = {
    max: size,
    // The driver's own type fetch is a query nobody can handle when it is cancelled (a process has died of it);
    // the array types in use are declared below instead.
    fetch_types: false,
    types: { ...arrayTypes, ...textTypes },
    connection: { application_name: 'tributary', TimeZone: 'UTC' },
    onnotice: () => {},
  };
  const client =
    typeof connection === 'string' ? postgres(connection, options) : postgres({ ...connection, ...options });
  let running = 0;
  const listener: StatementListener = (statement, milliseconds, error) => {
    running -= 1;
    onStatement?.(statement, milliseconds, error);
  };
  const database = createDatabase(client, listener, () => {
    running += 1;
  });
  return {
    ...database,
    within: () => database,
    stats: () => ({ size, running }),
    close: () => client.end({ timeout: 5 }),
  };
}

function createDatabase(
  client: postgres.Sql | postgres.TransactionSql,
  onEnd: StatementListener,
  onBegin: () => void,
): Database {
  return {
    run: async <Row>(statement: Statement, values: readonly Value[]): Promise<Row[]> => {
      onBegin();
      const startedAt = performance.now();
      let failure: unknown;
      try {
        return await client.unsafe<Row[] & postgres.Row[]>(statement.text, values as never[], {
          prepare: statement.isPrepared ?? true,
        });
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        onEnd(statement, performance.now() - startedAt, failure);
      }
    },
    transaction: (work) => {
      if (!('begin' in client))
        return client.savepoint((nested) => work(createDatabase(nested, onEnd, onBegin))) as never;
      return client.begin((transaction) => work(createDatabase(transaction, onEnd, onBegin))) as never;
    },
  };
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

/** Types that travel as the text they are: times keep their microseconds, JSON is written once by its maker. */
const textTypes = {
  jsonb: { to: 3802, from: [3802], serialize: (value: string) => value, parse: (text: string) => JSON.parse(text) },
  timestamp: { to: 1184, from: [1082, 1114, 1184], serialize: (value: string) => value, parse: (text: string) => text },
};

function serializeArray(values: readonly (string | number)[]): string {
  return `{${values.map((value) => (typeof value === 'number' ? String(value) : quoteElement(value))).join(',')}}`;
}

function quoteElement(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
