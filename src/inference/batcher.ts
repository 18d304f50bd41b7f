/**
 * Natural batching: rows of all calls wait in one queue; a free worker takes what waits, at the end of the macrotask in
 * which it came. No timer: while all workers are busy rows gather by themselves.
 */
import { type BatchLimits, packBatch, rowCutter } from './batch-layout.ts';
import { Call } from './call.ts';
import {
  type BatchReport,
  InferenceError,
  type LoadedVersion,
  type PredictRequest,
  type RowResult,
  versionKey,
} from './engine.ts';
import type { CheckedRow } from './row-check.ts';
import { TimeFit } from './time-fit.ts';
import { type Batch, type WaitingRow, WorkQueue } from './work-queue.ts';
import type { DoneMessage, RunMessage } from './worker-messages.ts';
import { WorkerDied } from './worker-thread.ts';

/** What runs batches: worker threads, or a remote server. */
export interface BatchRunner {
  /** Whether run() may be called now; when that becomes true, Batcher.schedule() is to be called. */
  hasIdle(): boolean;
  /** Rejects with WorkerDied when another attempt may succeed, otherwise with what was wrong with this batch. */
  run(message: RunMessage): Promise<DoneMessage>;
}

export interface BatcherOptions {
  /** Batches that run at the same time. */
  readonly workers: number;
  /** Most rows that may wait. */
  readonly maxQueuedRows: number;
  /** How long a batch should compute at most; one row may take longer. */
  readonly maxBatchMs: number;
  /** What other batchers measured of the same versions, and where this one adds to it. Default: nothing yet. */
  readonly measured?: WeakMap<LoadedVersion, Measured> | undefined;
  /** Called after each run. Must not throw. */
  readonly onBatch?: ((report: BatchReport) => void) | undefined;
}

// A batch of its own must save this much padding beside its fixed costs: each also costs messages and turns.
const splitCostMs = 1.3;
// The same for a model that was not measured yet: 1.3 ms at 20 ns an element, as text models take.
const splitCostElements = 65_536;

/** What was measured of a version. */
export interface Measured {
  /** Of the model alone, by elements with padding. */
  readonly compute: TimeFit;
  /** From taking a batch until its results are handed out, by elements without padding. */
  readonly turnaround: TimeFit;
}

interface RunningBatch {
  readonly batch: Batch;
  readonly rows: number;
  readonly startedAt: number;
  readonly expectedMs: number;
}

export class Batcher {
  readonly #runner: BatchRunner;
  readonly #options: BatcherOptions;
  readonly #queue = new WorkQueue();
  readonly #running = new Set<RunningBatch>();
  readonly #measured: WeakMap<LoadedVersion, Measured>;
  #isScheduled = false;
  #isStopped = false;

  constructor(runner: BatchRunner, options: BatcherOptions) {
    this.#runner = runner;
    this.#options = options;
    this.#measured = options.measured ?? new WeakMap();
  }

  /** Rows that wait or run. */
  get pendingRows(): number {
    return this.#running.values().reduce((sum, { rows }) => sum + rows, this.#queue.rows);
  }

  /** Queues checked rows. Throws an InferenceError (overloaded) when they would wait too long. */
  submit(version: LoadedVersion, rows: readonly CheckedRow[], request: PredictRequest): Promise<readonly RowResult[]> {
    this.#admit(rows.length, request);
    let waiting: readonly WaitingRow[] = [];
    const call = new Call(request, () => {
      for (const row of waiting) this.#queue.leave(row);
    });
    waiting = this.#queue.add(version, rows, call, request.lane ?? 'interactive');
    this.schedule();
    return call.promise;
  }

  /**
   * Gives batches to free workers at the end of the macrotask: setImmediate runs after all sockets that have something to
   * read were served, so their requests share the batch.
   */
  schedule(): void {
    if (this.#isScheduled || !this.#runner.hasIdle()) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#dispatch();
    });
  }

  /** Ends the calls of which something waits. */
  failWaiting(error: InferenceError): void {
    for (const call of this.#queue.calls()) call.fail(error);
  }

  /** Ends all calls; what runs is not awaited. */
  failAll(error: InferenceError): void {
    this.failWaiting(error);
    for (const { batch } of this.#running) {
      for (const { takers } of batch.rows) for (const { call } of takers) call.fail(error);
    }
  }

  /** Starts no more batches, and tries none again. */
  stop(): void {
    this.#isStopped = true;
  }

  #dispatch(): void {
    while (!this.#isStopped && this.#runner.hasIdle()) {
      const batch = this.#queue.take((version) => this.#limitsOf(version), performance.now());
      if (batch === undefined) return;
      void this.#run(batch);
    }
  }

  #admit(rows: number, { deadlineMs, lane }: PredictRequest): void {
    const isFull = this.#queue.rows + rows > this.#options.maxQueuedRows;
    if (!isFull && (deadlineMs === undefined || this.#estimateWaitMs(lane ?? 'interactive') <= deadlineMs)) return;
    throw new InferenceError('overloaded', 'Too many predictions are waiting; try again later.');
  }

  // 0 when nothing waits, whatever was measured: what never runs is never measured anew.
  #estimateWaitMs(lane: 'interactive' | 'bulk'): number {
    if (this.#queue.rows === 0) return 0;
    const now = performance.now();
    let totalMs = 0;
    for (const { expectedMs, startedAt } of this.#running) totalMs += Math.max(0, expectedMs - (now - startedAt));
    for (const [version, { rows, elements }] of this.#queue.loadBefore(lane)) {
      const { maxRows, maxElements } = this.#limitsOf(version);
      const batches = Math.ceil(Math.max(rows / maxRows, elements / Math.max(1, maxElements)));
      totalMs += this.#measuredOf(version).turnaround.estimateMs(elements, batches);
    }
    return totalMs / this.#options.workers;
  }

  #limitsOf(version: LoadedVersion): BatchLimits {
    const { compute } = this.#measuredOf(version);
    const maxElements = compute.elementsWithin(this.#options.maxBatchMs);
    const isMeasured = compute.perElementMs > 0;
    const worth = isMeasured ? (splitCostMs + compute.perBatchMs) / compute.perElementMs : splitCostElements;
    return { maxRows: version.manifest.maxBatchRows, maxElements, paddingWorthABatch: worth };
  }

  #measuredOf(version: LoadedVersion): Measured {
    let measured = this.#measured.get(version);
    if (measured === undefined) {
      measured = { compute: new TimeFit(), turnaround: new TimeFit() };
      this.#measured.set(version, measured);
    }
    return measured;
  }

  async #run(batch: Batch): Promise<void> {
    const { version, rows } = batch;
    const startedAt = performance.now();
    const elements = rows.reduce((sum, row) => sum + row.elements, 0);
    const padded = rows.length * rows.reduce((most, row) => Math.max(most, row.elements), 0);
    const { compute, turnaround } = this.#measuredOf(version);
    const wanted = rows.reduce((sum, row) => sum + row.wanted, 0);
    const expectedMs = turnaround.estimateMs(elements);
    const running = { batch, rows: wanted, startedAt, expectedMs };
    this.#running.add(running);
    try {
      const inputs = packBatch(version.manifest, rows);
      const done = await this.#runner.run({ type: 'run', key: versionKey(version), inputs });
      compute.add(padded, done.computeMs);
      this.#complete(batch, done, startedAt);
      turnaround.add(elements, performance.now() - startedAt);
      this.#report(batch, startedAt, done.computeMs, false);
    } catch (error) {
      this.#report(batch, startedAt, performance.now() - startedAt, true);
      this.#runAgainOrFail(batch, error);
    } finally {
      this.#running.delete(running);
    }
  }

  #complete({ version, rows }: Batch, { outputs, computeMs }: DoneMessage, startedAt: number): void {
    const cut = rowCutter(version.manifest, outputs);
    rows.forEach((row, position) => {
      for (const { call, index } of row.takers) {
        if (call.isSettled) continue;
        const queueMs = startedAt - call.startedAt;
        call.complete(index, { outputs: cut(row, position), batchRows: rows.length, queueMs, computeMs });
      }
    });
  }

  // A worker that died may have been killed by this batch: once more on another, then it fails. A batch that failed by
  // itself is halved until the rows are found that make it fail, so that the others succeed.
  #runAgainOrFail(batch: Batch, cause: unknown): void {
    const { version, rows, isRetry, search } = batch;
    if (!this.#isStopped && cause instanceof WorkerDied && !isRetry) {
      this.#queue.addAgain({ ...batch, isRetry: true });
      this.schedule();
      return;
    }
    if (!this.#isStopped && !(cause instanceof WorkerDied) && rows.length > 1 && search.runsLeft >= 2) {
      search.runsLeft -= 2;
      const middle = Math.ceil(rows.length / 2);
      for (const half of [rows.slice(0, middle), rows.slice(middle)]) this.#queue.addAgain({ ...batch, rows: half });
      this.schedule();
      return;
    }
    const message = `The model ${versionKey(version)} failed on this input.`;
    for (const { takers } of rows) {
      for (const { call, index } of takers) call.complete(index, new InferenceError('failed', message, { cause }));
    }
  }

  #report({ version, rows }: Batch, startedAt: number, computeMs: number, isFailed: boolean): void {
    const since = rows.reduce((least, { takers }) => Math.min(least, takers[0]!.call.startedAt), startedAt);
    const { name: model } = version;
    const report = {
      model,
      version: version.version,
      rows: rows.length,
      queueMs: startedAt - since,
      computeMs,
      isFailed,
    };
    this.#options.onBatch?.(report);
  }
}
