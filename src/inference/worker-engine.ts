/** The engine on worker threads of this process: checks, queues, hands batches to workers, and hands results back. */
import { availableParallelism } from 'node:os';
import { packBatch, planBatches, unpackRow } from './batch-layout.ts';
import { Call } from './call.ts';
import {
  type BatchReport,
  type InferenceEngine,
  InferenceError,
  type LoadedVersion,
  type PredictRequest,
  type RowResult,
  type VersionFailure,
  versionKey,
} from './engine.ts';
import type { ModelFiles, ModelRepository } from './repository.ts';
import { checkRows } from './row-check.ts';
import { type WorkItem, WorkQueue } from './work-queue.ts';
import type { DoneMessage, ReadyMessage } from './worker-messages.ts';
import { startWorkerPool, type WorkerPool } from './worker-pool.ts';
import { WorkerDied } from './worker-thread.ts';

export interface WorkerEngineOptions {
  readonly repository: ModelRepository;
  /** Default: the cores but one, at least 1 and at most 4. */
  readonly workers?: number;
  /** Most rows that may wait, and most rows of one call. Default 16,384. */
  readonly maxQueuedRows?: number;
  /** How long close() waits for running batches, which then abort; their threads end when they are done. Default 5,000. */
  readonly closeGraceMs?: number;
  /** Called after each run. Must not throw. */
  readonly onBatch?: (report: BatchReport) => void;
  /** Called when a worker died and is about to be replaced. Must not throw. */
  readonly onWorkerExit?: (reason: string) => void;
  /** Default: worker.ts beside this file. Tests put a worker there that can be told to die. */
  readonly workerFile?: URL;
}

/**
 * Starts the workers and loads every version in each. Versions that cannot be loaded are in failures(); rejects only when
 * a worker cannot start at all. The caller must close() the engine.
 */
export async function createWorkerEngine(options: WorkerEngineOptions): Promise<InferenceEngine> {
  const engine = new WorkerEngine(options);
  await engine.start();
  return engine;
}

class WorkerEngine implements InferenceEngine {
  readonly #options: WorkerEngineOptions;
  readonly #maxQueuedRows: number;
  readonly #closeGraceMs: number;
  readonly #versions = new Map<string, LoadedVersion>();
  readonly #failures = new Map<string, VersionFailure>();
  readonly #queue = new WorkQueue();
  readonly #calls = new Set<Call>();
  #runningRows = 0;
  #pool: WorkerPool | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: WorkerEngineOptions) {
    this.#options = options;
    this.#maxQueuedRows = options.maxQueuedRows ?? 16_384;
    this.#closeGraceMs = options.closeGraceMs ?? 5_000;
    this.#addFailures(options.repository.failures);
  }

  async start(): Promise<void> {
    const files = this.#options.repository.versions;
    const { pool, ready } = await startWorkerPool({
      workers: this.#options.workers ?? Math.max(1, Math.min(4, availableParallelism() - 1)),
      file: this.#options.workerFile ?? new URL('./worker.ts', import.meta.url),
      setup: { files, intraOpThreads: 1 },
      startGraceMs: this.#closeGraceMs,
      onIdle: () => this.#dispatch(),
      onVersionFailures: (failures) => this.#addFailures(failures),
      onWorkerExit: (reason) => this.#options.onWorkerExit?.(reason),
      onDown: () => this.#failCalls(cannotRun()),
    });
    this.#pool = pool;
    this.#addVersions(files, ready);
  }

  versions(): readonly LoadedVersion[] {
    return [...this.#versions.values()];
  }

  failures(): readonly VersionFailure[] {
    return [...this.#failures.values()];
  }

  pendingRows(): number {
    return this.#queue.rows + this.#runningRows;
  }

  async predict(request: PredictRequest): Promise<readonly RowResult[]> {
    const version = this.#versionFor(request);
    const rows = checkRows(version.manifest, request.rows);
    if (rows.length === 0) return [];
    this.#admit(request);
    const items: WorkItem[] = [];
    const call = new Call(request, () => {
      for (const item of items) this.#queue.drop(item);
    });
    this.#calls.add(call);
    const lane = request.lane ?? 'interactive';
    const enqueuedAt = performance.now();
    for (const batch of planBatches(version.manifest, rows)) {
      items.push({ version, rows: batch, call, lane, enqueuedAt, isRetry: false });
    }
    for (const item of items) this.#queue.add(item);
    this.#dispatch();
    return call.promise.finally(() => this.#calls.delete(call));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const waiting = this.#queue.calls();
    for (const call of waiting) call.fail(new InferenceError('aborted', 'The server is shutting down.'));
    await this.#pool?.close(this.#closeGraceMs);
    this.#failCalls(new InferenceError('aborted', 'The server is shutting down.'));
  }

  #versionFor({ model, version }: PredictRequest): LoadedVersion {
    const found = this.#versions.get(versionKey({ name: model, version }));
    if (found === undefined) {
      throw new InferenceError('unknown-model', `No model ${JSON.stringify(versionKey({ name: model, version }))}.`);
    }
    return found;
  }

  #admit({ rows, signal, deadlineMs }: PredictRequest): void {
    if (this.#closing !== null) throw new InferenceError('aborted', 'The server is shutting down.');
    if (signal?.aborted) throw new InferenceError('aborted', 'The prediction was cancelled.');
    if (deadlineMs !== undefined && deadlineMs <= 0) {
      throw new InferenceError('timeout', 'The prediction took too long.');
    }
    if (rows.length > this.#maxQueuedRows) {
      const limit = `at most ${this.#maxQueuedRows} rows in a call, got ${rows.length}`;
      throw new InferenceError('invalid-input', `expected ${limit}`);
    }
    if (this.#pool?.isDown()) throw cannotRun();
    if (this.#queue.rows + rows.length > this.#maxQueuedRows) {
      throw new InferenceError('overloaded', 'Too many predictions are waiting; try again later.');
    }
  }

  #dispatch(): void {
    while (this.#pool?.hasIdle()) {
      const item = this.#queue.take();
      if (item === undefined) return;
      void this.#run(this.#pool, item);
    }
  }

  async #run(pool: WorkerPool, item: WorkItem): Promise<void> {
    const { rows, version } = item;
    const startedAt = performance.now();
    this.#runningRows += rows.length;
    try {
      const inputs = packBatch(version.manifest, rows);
      const done = await pool.run({ type: 'run', key: versionKey(version), inputs });
      this.#complete(item, done, startedAt - item.enqueuedAt);
      this.#report(item, startedAt, done.computeMs, false);
    } catch (error) {
      this.#report(item, startedAt, performance.now() - startedAt, true);
      this.#retryOrFail(item, error);
    } finally {
      this.#runningRows -= rows.length;
    }
  }

  #complete({ version, rows, call }: WorkItem, { outputs, computeMs }: DoneMessage, queueMs: number): void {
    if (call.isSettled) return;
    rows.forEach((row, position) => {
      const cut = unpackRow(version.manifest, outputs, row, position);
      call.complete(row.index, { outputs: cut, batchRows: rows.length, queueMs, computeMs });
    });
  }

  // A batch whose worker died may have killed it: once more on another worker, then it fails.
  #retryOrFail(item: WorkItem, cause: unknown): void {
    if (cause instanceof WorkerDied && !item.isRetry && !item.call.isSettled && this.#closing === null) {
      item.isRetry = true;
      this.#queue.add(item);
      this.#dispatch();
      return;
    }
    const message = `The model ${versionKey(item.version)} failed on this input.`;
    for (const { index } of item.rows) item.call.complete(index, new InferenceError('failed', message, { cause }));
  }

  #report({ version, rows, enqueuedAt }: WorkItem, startedAt: number, computeMs: number, isFailed: boolean): void {
    const { name: model } = version;
    const queueMs = startedAt - enqueuedAt;
    this.#options.onBatch?.({ model, version: version.version, rows: rows.length, queueMs, computeMs, isFailed });
  }

  #failCalls(error: InferenceError): void {
    for (const call of this.#calls) call.fail(error);
  }

  #addVersions(files: readonly ModelFiles[], ready: readonly ReadyMessage[]): void {
    for (const { manifest } of files) {
      const key = versionKey(manifest);
      const executionProvider = ready[0]?.loaded.get(key);
      if (executionProvider === undefined) continue;
      const { name, version, task, precision } = manifest;
      this.#versions.set(key, { name, version, task, precision, manifest, executionProvider });
    }
    for (const { failures } of ready) this.#addFailures(failures);
  }

  #addFailures(failures: readonly VersionFailure[]): void {
    for (const failure of failures) {
      this.#versions.delete(versionKey(failure));
      this.#failures.set(versionKey(failure), failure);
    }
  }
}

function cannotRun(): InferenceError {
  return new InferenceError('failed', 'Predictions are not available now.');
}
