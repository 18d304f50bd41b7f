/** How a request ended: `ok`, the code of its first error, or what the socket said. */
export type Outcome = string;

/** What the load process tells every 100 ms, of the requests that ended in them. */
export interface Tick {
  /** Date.now() at the end of the 100 ms. */
  at: number;
  outcomes: Record<Outcome, number>;
}

/** A feature that the load wanted to make. */
export interface Write {
  name: string;
  /** What each attempt said, in order, all with one idempotency key. */
  outcomes: Outcome[];
  /** Date.now() before the second attempt; null: there was none. */
  secondAttemptAt: number | null;
  /** The id of the answer; null: never acknowledged. */
  id: string | null;
}

export interface LoadReport {
  writes: Write[];
  /** Of the slowest request, with those that failed. */
  slowestMs: number;
}

export interface LoadOptions {
  origin: string;
  workers: number;
  /** Between two requests of a worker. */
  pauseMs: number;
  /** Every so many requests is a write. */
  writeEvery: number;
  /** Goes into the names of what is made. */
  run: string;
}

export type FromLoad = { type: 'tick'; tick: Tick } | { type: 'report'; report: LoadReport };
