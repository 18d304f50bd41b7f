/** The engine on worker threads of this process: which versions there are, who is let in, and how versions are swapped. */
import { availableParallelism } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
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
import type { ExecutionProvider } from './execution-providers.ts';
import { type Generation, type GenerationOptions, shuttingDown, startGeneration } from './generation.ts';
import { createGpuLock } from './gpu-lock.ts';
import type { ModelRepository } from './repository.ts';
import { checkRows } from './row-check.ts';

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
  /** How long a version that a swap took away still answers those who chose it before. Default 10,000. */
  readonly retireGraceMs?: number;
  /** Where models run: on the first that loads them, on the CPU in the end. Default: on the CPU. */
  readonly executionProviders?: readonly ExecutionProvider[];
  /** Called with the reason, a line, when one of them cannot be used. Must not throw. */
  readonly onProviderSkipped?: (reason: string) => void;
  /** Called after each run. Must not throw. */
  readonly onBatch?: (report: BatchReport) => void;
  /** Called when a worker died and is about to be replaced. Must not throw. */
  readonly onWorkerExit?: (reason: string) => void;
  /** Default: worker.ts beside this file. Tests put a worker there that can be told to die. */
  readonly workerFile?: URL;
}

export interface WorkerEngine extends InferenceEngine {
  /**
   * Serves another set of versions: loads them in new threads, then versions() and failures() change in one step. Calls
   * that were made before run on in the old threads, which also answer for versions that are gone for retireGraceMs, or
   * less when swaps follow each other quickly. Resolves when the new versions are served. While a swap is under way
   * another one waits for it; of several that wait only the last repository is loaded, and all resolve with it. Rejects
   * when no worker can start, and everything stays as it was; and as aborted when the engine closes meanwhile.
   */
  swap(repository: ModelRepository): Promise<void>;
}

// Each holds all its models in memory.
const maxRetiring = 2;

/**
 * Starts the workers and loads every version in each. Versions that cannot be loaded are in failures(); rejects only when
 * a worker cannot start at all. The caller must close() the engine.
 */
export async function createWorkerEngine(options: WorkerEngineOptions): Promise<WorkerEngine> {
  const given: GenerationOptions = {
    workers: options.workers ?? Math.max(1, Math.min(4, availableParallelism() - 1)),
    maxQueuedRows: options.maxQueuedRows ?? 16_384,
    maxBatchMs: options.maxBatchMs ?? 20,
    closeGraceMs: options.closeGraceMs ?? 5_000,
    workerFile: options.workerFile ?? new URL('./worker.ts', import.meta.url),
    measured: new WeakMap(),
    executionProviders: options.executionProviders ?? ['cpu'],
    gpuLock: createGpuLock(),
    onProviderSkipped: options.onProviderSkipped,
    onBatch: options.onBatch,
    onWorkerExit: options.onWorkerExit,
  };
  const first = await startGeneration(options.repository, [], given);
  return new SwappingEngine(first, given, options.retireGraceMs ?? 10_000);
}

class SwappingEngine implements WorkerEngine {
  readonly #options: GenerationOptions;
  readonly #retireGraceMs: number;
  #current: Generation;
  /** The one that was current last comes first. */
  #retiring: { readonly generation: Generation; readonly ended: Promise<void> }[] = [];
  #wanted: ModelRepository | null = null;
  /** Never rejects. */
  #runningSwap: Promise<void> = Promise.resolve();
  #waitingSwap: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  constructor(first: Generation, options: GenerationOptions, retireGraceMs: number) {
    this.#current = first;
    this.#options = options;
    this.#retireGraceMs = retireGraceMs;
  }

  versions(): readonly LoadedVersion[] {
    return this.#current.versions();
  }

  failures(): readonly VersionFailure[] {
    return this.#current.failures();
  }

  pendingRows(): number {
    return this.#generations().reduce((sum, { pendingRows }) => sum + pendingRows, 0);
  }

  async predict(request: PredictRequest): Promise<readonly RowResult[]> {
    const { generation, version } = this.#find(request);
    const refusal = generation.refusalOf(version, request);
    if (refusal !== null) return refusal;
    const rows = checkRows(version.manifest, request.rows);
    if (rows.length === 0) return [];
    this.#admit(request);
    return generation.submit(version, rows, request);
  }

  swap(repository: ModelRepository): Promise<void> {
    this.#wanted = repository;
    this.#waitingSwap ??= this.#runningSwap.then(() => this.#startSwap());
    return this.#waitingSwap;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const timer = new AbortController();
    const grace = pause(this.#options.closeGraceMs, undefined, { signal: timer.signal }).catch(() => {});
    // A generation that is being started is closed by its swap.
    const swapped = Promise.race([this.#runningSwap, grace]);
    await Promise.all([...this.#generations().map((generation) => generation.close()), swapped]);
    timer.abort();
  }

  #generations(): Generation[] {
    return [this.#current, ...this.#retiring.map(({ generation }) => generation)];
  }

  #find({ model, version: wanted }: PredictRequest): { generation: Generation; version: LoadedVersion } {
    const key = versionKey({ name: model, version: wanted });
    const current = this.#current.find(key);
    if (current !== undefined) return { generation: this.#current, version: current };
    for (const { generation } of this.#retiring) {
      const version = generation.isAnswering ? generation.find(key) : undefined;
      if (version !== undefined) return { generation, version };
    }
    throw new InferenceError('unknown-model', `No model ${JSON.stringify(key)}.`);
  }

  #admit({ rows, signal, deadlineMs }: PredictRequest): void {
    if (this.#closing !== null) throw shuttingDown();
    if (signal?.aborted) throw new InferenceError('aborted', 'The prediction was cancelled.');
    if (deadlineMs !== undefined && deadlineMs <= 0) {
      throw new InferenceError('timeout', 'The prediction took too long.');
    }
    if (rows.length > this.#options.maxQueuedRows) {
      const limit = `at most ${this.#options.maxQueuedRows} rows in a call, got ${rows.length}`;
      throw new InferenceError('invalid-input', `expected ${limit}`);
    }
  }

  #startSwap(): Promise<void> {
    this.#waitingSwap = null;
    const swapped = this.#swapTo(this.#wanted!);
    this.#runningSwap = swapped.catch(() => {});
    return swapped;
  }

  async #swapTo(repository: ModelRepository): Promise<void> {
    while (this.#retiring.length >= maxRetiring) {
      const { generation, ended } = this.#retiring.at(-1)!;
      generation.endGrace();
      await ended;
    }
    if (this.#closing !== null) throw shuttingDown();
    const next = await startGeneration(repository, this.#current.versions(), this.#options);
    if (this.#closing !== null) {
      await next.close();
      throw shuttingDown();
    }
    this.#retire(this.#current);
    this.#current = next;
  }

  #retire(generation: Generation): void {
    const ended = generation.retire(this.#retireGraceMs).then(() => {
      this.#retiring = this.#retiring.filter((other) => other.generation !== generation);
    });
    this.#retiring = [{ generation, ended }, ...this.#retiring];
  }
}
