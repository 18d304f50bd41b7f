/**
 * Natural batching: rows of all calls wait in one queue; a free worker takes what waits, at the end of the macrotask in
 * which it came. No timer: while all workers are busy rows gather by themselves, and a batch that is full is staged behind
 * one that runs, so that no worker waits for this thread.
 */
import { packBatch } from './batch-layout.ts';
import { ResultDesk } from './batch-results.ts';
import { BatchTimes, type Measured } from './batch-times.ts';
import { Call } from './call.ts';
import { Deadlines } from './deadlines.ts';
import {
  type BatchReport,
  InferenceError,
  type Lane,
  type LoadedVersion,
  type PredictRequest,
  type RowResult,
  versionKey,
} from './engine.ts';
import { EstimateMargin } from './estimate-margin.ts';
import { partsToTry } from './failed-batch.ts';
import type { CheckedRow } from './row-check.ts';
import type { Load } from './row-line.ts';
import { type Batch, type Terms, WorkQueue } from './work-queue.ts';
import type { DoneMessage, RunMessage } from './worker-messages.ts';

/** What runs batches: worker threads, or a remote server. */
export interface BatchRunner {
  /** Whether run() may be called now; when that becomes true, Batcher.schedule() is to be called. */
  hasIdle(): boolean;
  /** How many batches would start at once. Default: 1 when hasIdle(), and a lone large call is not shared out. */
  idleCount?(): number;
  /** Whether run() may be called although nothing is idle, for a batch that starts when another ends. Default: never. */
  hasStagingPlace?(): boolean;
  /**
   * Rejects with WorkerDied when another attempt may succeed, otherwise with what was wrong with this batch. `onStart` is
   * called when a staged batch starts.
   */
  run(message: RunMessage, onStart?: () => void): Promise<DoneMessage>;
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

interface RunningBatch {
  readonly batch: Batch;
  readonly rows: number;
  /** False while it is staged. */
  hasStarted: boolean;
  /** Its results are here, and being handed out. */
  isDone: boolean;
  startedAt: number;
  readonly expectedMs: number;
}

// One object and one promise for all: under overload thousands a second are refused, and a stack each would cost 1.1 µs.
const overloaded = new InferenceError('overloaded', 'Too many predictions are waiting; try again later.');
const refused = Promise.reject<readonly RowResult[]>(overloaded);
refused.catch(() => {});

export class Batcher {
  readonly #runner: BatchRunner;
  readonly #options: BatcherOptions;
  readonly #queue = new WorkQueue();
  readonly #deadlines = new Deadlines();
  readonly #results = new ResultDesk();
  // Not a Set, whose dead copies keep what they held (see EqualRows). There are few.
  readonly #running: RunningBatch[] = [];
  readonly #times: BatchTimes;
  readonly #margin = new EstimateMargin();
  /** Of the calls that ended by their deadlines since a batch was done, the one that began first. */
  #latest: Call | null = null;
  #isScheduled = false;
  #isStopped = false;

  constructor(runner: BatchRunner, options: BatcherOptions) {
    this.#runner = runner;
    this.#options = options;
    this.#times = new BatchTimes(options.measured ?? new WeakMap(), options.maxBatchMs);
  }

  /** Rows that wait or run. */
  get pendingRows(): number {
    return this.#running.reduce((sum, { rows }) => sum + rows, this.#queue.rows);
  }

  /**
   * What to answer when the call would come too late even without its own rows, otherwise null. To be asked before they
   * are checked, which costs more than to refuse them.
   */
  refusalOf(version: LoadedVersion, { deadlineMs, lane = 'interactive' }: PredictRequest): typeof refused | null {
    if (deadlineMs === undefined) return null;
    const expectedMs = this.#estimateMs(version, [], lane, performance.now());
    return expectedMs * this.#margin.factor > deadlineMs ? refused : null;
  }

  /** Queues checked rows. Rejects at once with an InferenceError (overloaded) when they would be answered too late. */
  submit(version: LoadedVersion, rows: readonly CheckedRow[], request: PredictRequest): Promise<readonly RowResult[]> {
    const { deadlineMs, lane = 'interactive' } = request;
    if (this.#queue.rows + rows.length > this.#options.maxQueuedRows) return refused;
    const startedAt = performance.now();
    const expectedMs = deadlineMs === undefined ? 0 : this.#estimateMs(version, rows, lane, startedAt);
    if (deadlineMs !== undefined && expectedMs * this.#margin.factor > deadlineMs) return refused;
    // Bulk rows let others pass, which no estimate knows; it must not be blamed for that.
    const known = { startedAt, expectedMs: lane === 'bulk' ? 0 : expectedMs };
    const call = new Call(request, known, this.#deadlines, this.#leave);
    this.#queue.add(version, rows, call, lane);
    this.schedule();
    return call.promise;
  }

  /**
   * Gives batches to free workers at the end of the macrotask: setImmediate runs after all sockets that have something to
   * read were served, so their requests share the batch.
   */
  schedule(): void {
    if (this.#isScheduled || !(this.#runner.hasIdle() || this.#runner.hasStagingPlace?.())) return;
    this.#isScheduled = true;
    setImmediate(this.#dispatch);
  }

  /** Ends the calls of which something waits. */
  failWaiting(error: InferenceError): void {
    for (const call of this.#queue.calls()) call.fail(error);
  }

  /** Ends all calls but those whose results are here; what runs is not awaited. */
  failAll(error: InferenceError): void {
    this.failWaiting(error);
    for (const { batch, isDone } of this.#running) {
      if (isDone) continue;
      for (const { call, followers } of batch.rows) {
        call.fail(error);
        for (const follower of followers ?? []) follower.call.fail(error);
      }
    }
  }

  /** Starts no more batches, and tries none again. */
  stop(): void {
    this.#isStopped = true;
  }

  readonly #leave = (call: Call): void => {
    if (call.isLate && call.expectedMs > 0) this.#latest = olderOf(call, this.#latest);
    for (const row of call.rows) this.#queue.leave(row);
  };

  readonly #dispatch = (): void => {
    this.#isScheduled = false;
    while (!this.#isStopped) {
      const isStaged = !this.#runner.hasIdle();
      if (isStaged && !this.#runner.hasStagingPlace?.()) return;
      const batch = this.#queue.take(this.#terms(isStaged));
      if (batch === undefined) return;
      void this.#run(batch, isStaged);
    }
  };

  #terms(isStaged: boolean): Terms {
    const now = performance.now();
    const idleWorkers = isStaged ? 0 : (this.#runner.idleCount?.() ?? 1);
    let waitMs = isStaged ? Number.POSITIVE_INFINITY : 0;
    for (const running of this.#running) {
      if (isStaged && !running.isDone) waitMs = Math.min(waitMs, remainingMs(running, now));
    }
    return {
      now,
      isStaged,
      limitsOf: (version, waiting) => this.#times.limitsOf(version, waiting, idleWorkers),
      doneAt: (version, limits, waiting) => now + waitMs + this.#times.batchMs(version, limits, waiting),
      isWorthStaging: (version, limits, waiting) => this.#times.isWorthStaging(version, limits, waiting),
    };
  }

  // What runs, what waits, and the batch that the rows will be in. A version of which nothing runs or waits is let in
  // whatever it took before: what never runs is never measured anew.
  #estimateMs(version: LoadedVersion, rows: readonly CheckedRow[], lane: Lane, now: number): number {
    let totalMs = 0;
    let isRunning = false;
    for (const running of this.#running) {
      totalMs += remainingMs(running, now);
      isRunning ||= running.batch.version === version;
    }
    if (this.#queue.rows > 0) totalMs += this.#queue.sumBefore(lane, this.#allMs);
    const waiting = this.#queue.loadOf(version, lane);
    if (!isRunning && (waiting === undefined || waiting.rows === 0)) return totalMs / this.#options.workers;
    let elements = 0;
    for (const row of rows) elements += row.elements;
    const own = { rows: (waiting?.rows ?? 0) + rows.length, elements: (waiting?.elements ?? 0) + elements };
    const ownMs = this.#times.batchMs(version, this.#times.limitsOf(version, own, 0), own);
    const aheadMs = totalMs + this.#times.of(version).service.perElementMs * elements - ownMs;
    return Math.max(0, aheadMs) / this.#options.workers + ownMs;
  }

  readonly #allMs = (version: LoadedVersion, load: Readonly<Load>): number =>
    this.#times.allMs(version, this.#times.limitsOf(version, load, 0), load);

  async #run(batch: Batch, isStaged: boolean): Promise<void> {
    const { version, rows } = batch;
    const { compute, service } = this.#times.of(version);
    let [elements, longest, wanted] = [0, 0, 0];
    for (const row of rows) {
      elements += row.elements;
      longest = Math.max(longest, row.elements);
      wanted += row.wanted;
    }
    const running: RunningBatch = {
      batch,
      rows: wanted,
      hasStarted: !isStaged,
      isDone: false,
      startedAt: performance.now(),
      expectedMs: service.estimateMs(elements),
    };
    this.#running.push(running);
    const onStart = () => {
      running.hasStarted = true;
      running.startedAt = performance.now();
    };
    try {
      const inputs = packBatch(version.manifest, rows);
      const done = await this.#runner.run({ type: 'run', key: versionKey(version), inputs }, onStart);
      running.isDone = true;
      compute.add(rows.length * longest, done.computeMs);
      service.add(elements, performance.now() - running.startedAt);
      await this.#results.handOut(batch, done, running.startedAt);
      this.#measureMargin(batch, performance.now());
      this.#report(batch, running.startedAt, done.computeMs, false);
    } catch (error) {
      this.#report(batch, running.startedAt, performance.now() - running.startedAt, true);
      this.#runAgainOrFail(batch, error, running.hasStarted);
    } finally {
      this.#running.splice(this.#running.indexOf(running), 1);
    }
  }

  // By the call that waited longest, of those of the batch and of those that waited in vain since the last one.
  #measureMargin({ rows }: Batch, now: number): void {
    let oldest = this.#latest;
    this.#latest = null;
    for (const { call } of rows) if (call.expectedMs > 0) oldest = olderOf(call, oldest);
    if (oldest === null) return;
    const doneAt = oldest.isLate ? Math.max(now, oldest.deadlineAt) : now;
    this.#margin.add(oldest.expectedMs, doneAt - oldest.startedAt);
  }

  #runAgainOrFail(batch: Batch, cause: unknown, hasStarted: boolean): void {
    const parts = this.#isStopped ? [] : partsToTry(batch, cause, hasStarted);
    for (const part of parts) this.#queue.addAgain(part);
    if (parts.length > 0) {
      this.schedule();
      return;
    }
    const message = `The model ${versionKey(batch.version)} failed on this input.`;
    const error = new InferenceError('failed', message, { cause });
    for (const { call, index, followers } of batch.rows) {
      call.complete(index, error);
      for (const follower of followers ?? []) follower.call.complete(follower.index, error);
    }
  }

  #report({ version, rows }: Batch, startedAt: number, computeMs: number, isFailed: boolean): void {
    let since = startedAt;
    for (const { call } of rows) since = Math.min(since, call.startedAt);
    const { name: model } = version;
    const queueMs = startedAt - since;
    this.#options.onBatch?.({ model, version: version.version, rows: rows.length, queueMs, computeMs, isFailed });
  }
}

function olderOf(call: Call, other: Call | null): Call {
  return other === null || call.startedAt < other.startedAt ? call : other;
}

function remainingMs({ hasStarted, isDone, startedAt, expectedMs }: RunningBatch, now: number): number {
  if (isDone) return 0;
  return hasStarted ? Math.max(0, expectedMs - (now - startedAt)) : expectedMs;
}
