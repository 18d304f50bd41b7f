/** Rows that wait for a worker: two lanes, bounded in rows by the engine. */
import type { Call } from './call.ts';
import type { Lane, LoadedVersion } from './engine.ts';
import type { CheckedRow } from './row-check.ts';

/** Rows of one version that run as one batch. Today all are of one call; gathering those of several is take()'s part. */
export interface WorkItem {
  readonly version: LoadedVersion;
  readonly rows: readonly CheckedRow[];
  readonly call: Call;
  readonly lane: Lane;
  /** performance.now() at predict(). */
  readonly enqueuedAt: number;
  /** The worker of its first attempt died. */
  isRetry: boolean;
}

// After so many interactive batches a waiting bulk batch gets its turn.
const interactiveTurns = 8;

/** Sets keep the order of arrival and drop an abandoned item without a search. */
export class WorkQueue {
  readonly #retries = new Set<WorkItem>();
  readonly #interactive = new Set<WorkItem>();
  readonly #bulk = new Set<WorkItem>();
  #rows = 0;
  #turns = 0;

  /** Rows that wait. */
  get rows(): number {
    return this.#rows;
  }

  /** Puts an item at the end of its lane. */
  add(item: WorkItem): void {
    this.#laneOf(item).add(item);
    this.#rows += item.rows.length;
  }

  /** The next batch to run, or undefined when nothing waits: retries, then interactive, then bulk. */
  take(): WorkItem | undefined {
    const isBulkTurn = this.#bulk.size > 0 && (this.#interactive.size === 0 || this.#turns >= interactiveTurns);
    const lane = this.#retries.size > 0 ? this.#retries : isBulkTurn ? this.#bulk : this.#interactive;
    const [item] = lane;
    if (item === undefined) return undefined;
    this.#turns = lane === this.#bulk ? 0 : this.#turns + 1;
    this.drop(item);
    return item;
  }

  /** Takes an item out; one that does not wait is left alone. */
  drop(item: WorkItem): void {
    if (this.#laneOf(item).delete(item)) this.#rows -= item.rows.length;
  }

  /** The calls of which something waits. */
  calls(): Set<Call> {
    return new Set([...this.#retries, ...this.#interactive, ...this.#bulk].map((item) => item.call));
  }

  #laneOf(item: WorkItem): Set<WorkItem> {
    if (item.isRetry) return this.#retries;
    return item.lane === 'bulk' ? this.#bulk : this.#interactive;
  }
}
