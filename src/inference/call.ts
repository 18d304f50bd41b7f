/** One predict() call in flight: gathers the results of its rows, or ends early by its deadline or signal. */
import type { Deadlines } from './deadlines.ts';
import { InferenceError, type PredictRequest, type RowResult } from './engine.ts';
import type { WaitingRow } from './work-queue.ts';

// One object for all: with a stack of its own each would cost 1.1 µs, and thousands end together when a machine stalls.
const timedOut = new InferenceError('timeout', 'The prediction took too long.');

export class Call {
  /** performance.now() at predict(). */
  readonly startedAt: number;
  /** performance.now() when its results are worth nothing any more; infinity when it may take as long as it takes. */
  readonly deadlineAt: number;
  /** When it was let in, how long it was thought to take; milliseconds, 0 when that was not asked. */
  readonly expectedMs: number;
  readonly promise: Promise<readonly RowResult[]>;
  /** Its rows in the queue, of which some may have run. */
  rows: readonly WaitingRow[] = [];
  /** Ended by its deadline. */
  isLate = false;
  readonly #results: RowResult[];
  readonly #signal: AbortSignal | undefined;
  readonly #deadlines: Deadlines;
  readonly #onEarlyEnd: (call: Call) => void;
  #resolve!: (results: readonly RowResult[]) => void;
  #reject!: (error: InferenceError) => void;
  #missing: number;
  #isSettled = false;
  #onAbort: (() => void) | null = null;

  /** `onEarlyEnd` is called once when the call ends before all of its rows have. */
  constructor(
    { rows, signal, deadlineMs }: PredictRequest,
    { startedAt, expectedMs }: { startedAt: number; expectedMs: number },
    deadlines: Deadlines,
    onEarlyEnd: (call: Call) => void,
  ) {
    this.startedAt = startedAt;
    this.deadlineAt = deadlineMs === undefined ? Number.POSITIVE_INFINITY : startedAt + deadlineMs;
    this.expectedMs = expectedMs;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#results = new Array(rows.length);
    this.#missing = rows.length;
    this.#signal = signal;
    this.#deadlines = deadlines;
    this.#onEarlyEnd = onEarlyEnd;
    if (signal !== undefined) {
      this.#onAbort = listenerOf(this);
      signal.addEventListener('abort', this.#onAbort);
    }
    if (deadlineMs !== undefined) deadlines.add(this);
  }

  /** Its results are no longer wanted, or all there. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Stores the result of one row; the last one settles the call. */
  complete(index: number, result: RowResult): void {
    if (this.#isSettled) return;
    this.#results[index] = result;
    this.#missing--;
    if (this.#missing > 0) return;
    this.#end();
    this.#resolve(this.#results);
  }

  /** Ends the whole call with an error. */
  fail(error: InferenceError): void {
    if (this.#isSettled) return;
    this.#end();
    this.#reject(error);
    this.#onEarlyEnd(this);
  }

  /** Ends the call because its deadline has passed, or will have before its rows are done. */
  expire(): void {
    if (this.#isSettled) return;
    this.isLate = true;
    this.fail(timedOut);
  }

  #end(): void {
    this.#isSettled = true;
    if (this.#onAbort !== null) this.#signal!.removeEventListener('abort', this.#onAbort);
    if (this.deadlineAt !== Number.POSITIVE_INFINITY) this.#deadlines.leave();
  }
}

function listenerOf(call: Call): () => void {
  return () => call.fail(new InferenceError('aborted', 'The prediction was cancelled.'));
}
