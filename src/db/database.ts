/** What a statement looks like to the driver: its name is for logs, metrics and tests, its text is prepared once per connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** false: planned anew for each run's values, at the price of a round trip. Default: true. */
  readonly isPrepared?: boolean;
  /** It changes nothing, so it may run again when its connection was lost. Default: false. */
  readonly isRead?: boolean;
  /**
   * How many rows it answers at most with these values, each of them found by an index: it is short where these are few.
   * undefined: that is not known, or it reads more than it answers.
   */
  readonly mostRows?: ((values: readonly Value[]) => number) | undefined;
  /** Which value is the organization its rows belong to; -1 or undefined: none. */
  readonly organizationIndex?: number;
  /** It answers only what its organization shows to everybody. Default: false. */
  readonly isPublic?: boolean;
  /** What it is about to read with these values, as tags of footprint.ts; undefined: that is not known. */
  readonly readTags?: (values: readonly Value[]) => readonly string[];
  /** What it has read besides, where its rows tell that. */
  readonly answeredTags?: ((values: readonly Value[], rows: readonly unknown[]) => readonly string[]) | undefined;
  /** What it has changed with these values when it answered these rows; null: it may have, its answer never came. */
  readonly writtenTags?: (values: readonly Value[], rows: readonly unknown[] | null) => readonly string[];
}

export type Value = string | number | boolean | null | readonly string[] | readonly number[];

/** Told of every statement when it has ended; `milliseconds` includes the wait for a connection. */
export type StatementListener = (statement: Statement, milliseconds: number, error: unknown) => void;

/** Told of what was changed, after the commit; a write is answered when this has resolved. Must not reject. */
export type WriteListener = (tags: readonly string[]) => Promise<void>;

/** Runs statements; a transaction is a Database too, so that queries need not know where they run. */
export interface Database {
  /**
   * Runs one statement with its values in order ($1 first). Rows come in the statement's order.
   * @throws OVERLOADED when nothing was done, TIMEOUT when that cannot be known, the database's own error otherwise
   */
  run<Row>(statement: Statement, values: readonly Value[]): Promise<Row[]>;
  /** Runs all statements of `work` in one transaction; a rejection rolls all of it back. */
  transaction<Result>(work: (transaction: Database) => Promise<Result>): Promise<Result>;
}

/** Told of a statement before it runs, and again with its rows where they tell what it has read. */
export type RunListener = (statement: Statement, values: readonly Value[], rows?: readonly unknown[]) => void;

/** What one request may do with the database. */
export interface Bounds {
  /** Aborted when the request is over: what waits is dropped, what runs is cancelled; its reason is thrown. */
  signal: AbortSignal;
  /** The organization of every statement; null: none may run. */
  organizationId: string | null;
  /** Told of each statement. Default: nobody. */
  onRun?: RunListener | undefined;
}

/** A database that many requests share, each within its own bounds. */
export interface SharedDatabase extends Database {
  /**
   * For one request. The strings of its rows are slices of whole answers: what is kept of them for longer than the request
   * keeps those in memory. Rows of the shared database itself are strings of their own.
   */
  within(bounds: Bounds): Database;
}

export interface PoolStats {
  /** Most connections, and those open now. */
  size: number;
  open: number;
  /** Statements and transactions at work, and those that wait for a connection. */
  running: number;
  waiting: number;
  isUp: boolean;
}

export interface Pool extends SharedDatabase {
  /** Figures of the pool for metrics. */
  stats(): PoolStats;
  /** Whether a statement of a new request would be refused now: too many wait, or they will take too long. */
  isFull(): boolean;
  /** Whether the server answers: known from a statement of the last second, or asked on a connection of its own. */
  isAnswering(): Promise<boolean>;
  /** Ends all connections; what runs may finish within 5 s. */
  close(): Promise<void>;
}

/** Where the database is: a postgres:// URL, or the parts of a Unix-socket connection. */
export type ConnectionTarget = string | { host: string; port: number; user: string; database: string };
