/** Worker threads with the versions they loaded when they started, and what waits for them. A swap starts another one. */
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Measured } from './batch-times.ts';
import { Batcher } from './batcher.ts';
import {
  type BatchReport,
  InferenceError,
  type LoadedVersion,
  type PredictRequest,
  type RowResult,
  type VersionFailure,
  versionKey,
} from './engine.ts';
import type { ExecutionProvider } from './execution-providers.ts';
import type { GpuLock } from './gpu-lock.ts';
import type { ModelFiles, ModelRepository } from './repository.ts';
import type { CheckedRow } from './row-check.ts';
import type { ReadyMessage, RunMessage } from './worker-messages.ts';
import { startWorkerPool, type WorkerPool } from './worker-pool.ts';

export interface GenerationOptions {
  readonly workers: number;
  readonly maxQueuedRows: number;
  readonly maxBatchMs: number;
  /** How long close() waits for running batches, and a failed start for the workers that did start. */
  readonly closeGraceMs: number;
  readonly workerFile: URL;
  /** What was measured of versions, by all generations. */
  readonly measured: WeakMap<LoadedVersion, Measured>;
  readonly executionProviders: readonly ExecutionProvider[];
  /** Of the whole process. */
  readonly gpuLock: GpuLock;
  readonly onProviderSkipped: ((reason: string) => void) | undefined;
  readonly onBatch: ((report: BatchReport) => void) | undefined;
  readonly onWorkerExit: ((reason: string) => void) | undefined;
}

// How often a generation whose grace is over looks whether anything still waits or runs.
const drainPollMs = 20;

/**
 * Starts the workers and loads every version of the repository in each. A version that is what `known` has under its name
 * is the same object as there, so that what was measured of it stays. Rejects when a worker cannot start at all.
 */
export async function startGeneration(
  repository: ModelRepository,
  known: readonly LoadedVersion[],
  options: GenerationOptions,
): Promise<Generation> {
  const generation = new Generation(repository, options);
  await generation.start(known);
  return generation;
}

export class Generation {
  readonly #repository: ModelRepository;
  readonly #options: GenerationOptions;
  readonly #versions = new Map<string, LoadedVersion>();
  readonly #failures = new Map<string, VersionFailure>();
  readonly #batcher: Batcher;
  readonly #grace = new AbortController();
  #pool: WorkerPool | null = null;
  #closing: Promise<void> | null = null;

  constructor(repository: ModelRepository, options: GenerationOptions) {
    this.#repository = repository;
    this.#options = options;
    const runner = {
      hasIdle: () => this.#pool?.hasIdle() ?? false,
      idleCount: () => this.#pool?.idleCount() ?? 0,
      hasStagingPlace: () => this.#pool?.hasStagingPlace() ?? false,
      run: (message: RunMessage, onStart?: () => void) => this.#pool!.run(message, onStart),
    };
    const { workers, maxQueuedRows, maxBatchMs, measured, onBatch } = options;
    this.#batcher = new Batcher(runner, { workers, maxQueuedRows, maxBatchMs, measured, onBatch });
  }

  async start(known: readonly LoadedVersion[]): Promise<void> {
    const { workers, workerFile, closeGraceMs, executionProviders, gpuLock, onWorkerExit } = this.#options;
    const { versions: files, failures } = this.#repository;
    this.#addFailures(failures);
    const { pool, ready } = await startWorkerPool({
      workers,
      file: workerFile,
      setup: { files, intraOpThreads: 1, executionProviders, gpuLock },
      startGraceMs: closeGraceMs,
      onIdle: () => this.#batcher.schedule(),
      onVersionFailures: (failed) => this.#addFailures(failed),
      onWorkerExit: (reason) => onWorkerExit?.(reason),
      onDown: () => this.#batcher.failAll(cannotRun()),
    });
    this.#pool = pool;
    this.#addVersions(files, ready, known);
  }

  /** Ordered by name and version. */
  versions(): readonly LoadedVersion[] {
    return [...this.#versions.values()];
  }

  failures(): readonly VersionFailure[] {
    return [...this.#failures.values()];
  }

  /** By versionKey. */
  find(key: string): LoadedVersion | undefined {
    return this.#versions.get(key);
  }

  get pendingRows(): number {
    return this.#batcher.pendingRows;
  }

  /** Whether callers that know its versions may still ask it, although it may not be the current one any more. */
  get isAnswering(): boolean {
    return !this.#grace.signal.aborted;
  }

  /** How a call is refused whose rows need not even be checked; null: they may be let in. */
  refusalOf(version: LoadedVersion, request: PredictRequest): Promise<readonly RowResult[]> | null {
    return this.#batcher.refusalOf(version, request);
  }

  /** Queues checked rows of a version that find() gave. Throws an InferenceError when they cannot be let in. */
  submit(version: LoadedVersion, rows: readonly CheckedRow[], request: PredictRequest): Promise<readonly RowResult[]> {
    if (this.#pool?.isDown()) throw cannotRun();
    return this.#batcher.submit(version, rows, request);
  }

  /** Answers `graceMs` more, or until endGrace(), then ends when nothing waits or runs; resolves when it has ended. */
  async retire(graceMs: number): Promise<void> {
    const { signal } = this.#grace;
    await pause(graceMs, null, { signal }).catch(() => {});
    this.endGrace();
    while (this.#closing === null && this.pendingRows > 0) await pause(drainPollMs);
    await this.close();
  }

  endGrace(): void {
    this.#grace.abort();
  }

  /** Aborts what waits, lets running batches end within the grace, then ends the threads. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.endGrace();
    this.#batcher.stop();
    this.#batcher.failWaiting(shuttingDown());
    await this.#pool?.close(this.#options.closeGraceMs);
    this.#batcher.failAll(shuttingDown());
  }

  #addVersions(files: readonly ModelFiles[], ready: readonly ReadyMessage[], known: readonly LoadedVersion[]): void {
    for (const { manifest } of files) {
      const key = versionKey(manifest);
      const executionProvider = ready[0]?.loaded.get(key);
      if (executionProvider === undefined) continue;
      const { name, version, task, precision } = manifest;
      const loaded = { name, version, task, precision, manifest, executionProvider };
      this.#versions.set(key, known.find((other) => isDeepStrictEqual(other, loaded)) ?? loaded);
    }
    for (const { failures } of ready) this.#addFailures(failures);
    const skipped = new Set(ready.flatMap(({ skippedProviders }) => skippedProviders));
    for (const reason of skipped) this.#options.onProviderSkipped?.(reason);
  }

  #addFailures(failures: readonly VersionFailure[]): void {
    for (const failure of failures) {
      this.#versions.delete(versionKey(failure));
      this.#failures.set(versionKey(failure), failure);
    }
  }
}

export function shuttingDown(): InferenceError {
  return new InferenceError('aborted', 'The server is shutting down.');
}

function cannotRun(): InferenceError {
  return new InferenceError('unavailable', 'Predictions are not available now.');
}
