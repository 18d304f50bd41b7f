/** The engine on worker threads of this process: which versions there are, who is let in, and where batches run. */
import { availableParallelism } from 'node:os';
import { Batcher } from './batcher.ts';
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
import type { ReadyMessage, RunMessage } from './worker-messages.ts';
import { startWorkerPool, type WorkerPool } from './worker-pool.ts';

export interface WorkerEngineOptions {
  readonly repository: ModelRepository;
  /** Default: the cores but one, at least 1 and at most 4. */
  readonly workers?: number;
  /** Most rows that may wait, and most rows of one call. Default 16,384. */
  readonly maxQueuedRows?: number;
  /** How long a batch should compute at most, by what was measured of its model; one row may take longer. Default 20. */
  readonly maxBatchMs?: number;
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
  readonly #workers: number;
  readonly #batcher: Batcher;
  #pool: WorkerPool | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: WorkerEngineOptions) {
    this.#options = options;
    this.#maxQueuedRows = options.maxQueuedRows ?? 16_384;
    this.#closeGraceMs = options.closeGraceMs ?? 5_000;
    this.#workers = options.workers ?? Math.max(1, Math.min(4, availableParallelism() - 1));
    const runner = {
      hasIdle: () => this.#pool?.hasIdle() ?? false,
      idleCount: () => this.#pool?.idleCount() ?? 0,
      hasStagingPlace: () => this.#pool?.hasStagingPlace() ?? false,
      run: (message: RunMessage, onStart?: () => void) => this.#pool!.run(message, onStart),
    };
    this.#batcher = new Batcher(runner, {
      workers: this.#workers,
      maxQueuedRows: this.#maxQueuedRows,
      maxBatchMs: options.maxBatchMs ?? 20,
      onBatch: options.onBatch,
    });
    this.#addFailures(options.repository.failures);
  }

  async start(): Promise<void> {
    const files = this.#options.repository.versions;
    const { pool, ready } = await startWorkerPool({
      workers: this.#workers,
      file: this.#options.workerFile ?? new URL('./worker.ts', import.meta.url),
      setup: { files, intraOpThreads: 1 },
      startGraceMs: this.#closeGraceMs,
      onIdle: () => this.#batcher.schedule(),
      onVersionFailures: (failures) => this.#addFailures(failures),
      onWorkerExit: (reason) => this.#options.onWorkerExit?.(reason),
      onDown: () => this.#batcher.failAll(cannotRun()),
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
    return this.#batcher.pendingRows;
  }

  async predict(request: PredictRequest): Promise<readonly RowResult[]> {
    const version = this.#versionFor(request);
    const refusal = this.#batcher.refusalOf(version, request);
    if (refusal !== null) return refusal;
    const rows = checkRows(version.manifest, request.rows);
    if (rows.length === 0) return [];
    this.#admit(request);
    return this.#batcher.submit(version, rows, request);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#batcher.stop();
    this.#batcher.failWaiting(new InferenceError('aborted', 'The server is shutting down.'));
    await this.#pool?.close(this.#closeGraceMs);
    this.#batcher.failAll(new InferenceError('aborted', 'The server is shutting down.'));
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
