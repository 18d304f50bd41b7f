/** One predict() call in flight: gathers the results of its rows, or ends early by its deadline or signal. */
import { InferenceError, type PredictRequest, type RowResult } from './engine.ts';

const maxTimerMs = 2 ** 31 - 1;

export class Call {
  /** performance.now() at predict(). */
  readonly startedAt = performance.now();
  readonly #settled = Promise.withResolvers<readonly RowResult[]>();
  readonly #results: RowResult[];
  readonly #signal: AbortSignal | undefined;
  readonly #deadlineAt: number;
  readonly #onEarlyEnd: () => void;
  #missing: number;
  #timer: NodeJS.Timeout | undefined;
  #onAbort: (() => void) | null = null;
  #isSettled = false;

  /** `onEarlyEnd` is called once when the call ends before all of its rows have. */
  constructor(request: PredictRequest, onEarlyEnd: () => void) {
    this.#results = new Array(request.rows.length);
    this.#missing = request.rows.length;
    this.#signal = request.signal;
    this.#onEarlyEnd = onEarlyEnd;
    this.#deadlineAt = this.startedAt + (request.deadlineMs ?? Number.POSITIVE_INFINITY);
    if (this.#signal !== undefined) {
      this.#onAbort = () => this.fail(new InferenceError('aborted', 'The prediction was cancelled.'));
      this.#signal.addEventListener('abort', this.#onAbort);
    }
    if (request.deadlineMs !== undefined) {
      this.#timer = setTimeout(() => this.#expire(), Math.min(request.deadlineMs, maxTimerMs));
    }
  }

  get promise(): Promise<readonly RowResult[]> {
    return this.#settled.promise;
  }

  /** Its results are no longer wanted, or all there. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Ends the call when its deadline has passed, which a busy event loop may know before the timer does. */
  expireIfDue(now: number): void {
    if (now >= this.#deadlineAt) this.#expire();
  }

  /** Stores the result of one row; the last one settles the call. */
  complete(index: number, result: RowResult): void {
    if (this.#isSettled) return;
    this.#results[index] = result;
    this.#missing--;
    if (this.#missing > 0) return;
    this.#end();
    this.#settled.resolve(this.#results);
  }

  /** Ends the whole call with an error. */
  fail(error: InferenceError): void {
    if (this.#isSettled) return;
    this.#end();
    this.#settled.reject(error);
    this.#onEarlyEnd();
  }

  #end(): void {
    this.#isSettled = true;
    clearTimeout(this.#timer);
    if (this.#onAbort !== null) this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #expire(): void {
    this.fail(new InferenceError('timeout', 'The prediction took too long.'));
  }
}
