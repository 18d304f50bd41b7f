/** One predict() call in flight: gathers the results of its rows, or ends early by its deadline or signal. */
import { InferenceError, type PredictRequest, type RowResult } from './engine.ts';

const maxTimerMs = 2 ** 31 - 1;

export class Call {
  readonly #settled = Promise.withResolvers<readonly RowResult[]>();
  readonly #results: RowResult[];
  readonly #signal: AbortSignal | undefined;
  #missing: number;
  #timer: NodeJS.Timeout | undefined;
  #isSettled = false;

  readonly #onEarlyEnd: () => void;

  /** `onEarlyEnd` is called once when the call ends before all of its rows have. */
  constructor(request: PredictRequest, onEarlyEnd: () => void) {
    this.#results = new Array(request.rows.length);
    this.#missing = request.rows.length;
    this.#signal = request.signal;
    this.#onEarlyEnd = onEarlyEnd;
    this.#signal?.addEventListener('abort', this.#abort);
    if (request.deadlineMs !== undefined) {
      this.#timer = setTimeout(this.#expire, Math.min(request.deadlineMs, maxTimerMs));
    }
  }

  get promise(): Promise<readonly RowResult[]> {
    return this.#settled.promise;
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
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => this.fail(new InferenceError('aborted', 'The prediction was cancelled.'));

  readonly #expire = (): void => this.fail(new InferenceError('timeout', 'The prediction took too long.'));
}
