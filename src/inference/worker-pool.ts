/** A fixed number of worker threads, each with all versions loaded. A thread that dies is replaced. */
import type { VersionFailure } from './engine.ts';
import type { DoneMessage, ReadyMessage, RunMessage, WorkerSetup } from './worker-messages.ts';
import { startWorkerThread, type WorkerThread } from './worker-thread.ts';

export interface WorkerPoolOptions {
  readonly workers: number;
  readonly file: URL;
  readonly setup: WorkerSetup;
  /** How long a failed start waits for the workers that did start to end. */
  readonly startGraceMs: number;
  /** A worker can take a batch, or another one. */
  onIdle(): void;
  /** A replacement could not load a version that others have. */
  onVersionFailures(failures: readonly VersionFailure[]): void;
  /** A worker ended that was not told to. */
  onWorkerExit(reason: string): void;
  /** No worker is left and none could be started anew; it is tried on. */
  onDown(): void;
}

export interface WorkerPool {
  hasIdle(): boolean;
  /** Workers without a batch. */
  idleCount(): number;
  /** Whether a worker has only the batch that it runs. */
  hasStagingPlace(): boolean;
  /**
   * Runs a batch on an idle worker, otherwise behind the batch that has run longest; only after hasIdle() or
   * hasStagingPlace(). Rejects as WorkerThread.run does.
   */
  run(message: RunMessage, onStart?: () => void): Promise<DoneMessage>;
  isDown(): boolean;
  /** Ends all workers after their running batches; waits for that, at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const startsBeforeDown = 3;
const maxRestartDelayMs = 5_000;

/** Starts all workers and waits for them; answers the pool and what each worker said. Rejects when one cannot start. */
export async function startWorkerPool(
  options: WorkerPoolOptions,
): Promise<{ pool: WorkerPool; ready: readonly ReadyMessage[] }> {
  const pool = new ThreadPool(options);
  try {
    return { pool, ready: await pool.start() };
  } catch (error) {
    await pool.close(options.startGraceMs);
    throw error;
  }
}

class ThreadPool implements WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #threads = new Set<WorkerThread>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  #failedStarts = 0;
  #isClosed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  async start(): Promise<readonly ReadyMessage[]> {
    const threads = Array.from({ length: this.#options.workers }, () => this.#startThread());
    const ready = await Promise.all(threads.map((thread) => thread.ready));
    for (const thread of threads) void this.#replaceWhenDead(thread);
    return ready;
  }

  hasIdle(): boolean {
    for (const thread of this.#threads) if (thread.batches() === 0) return true;
    return false;
  }

  idleCount(): number {
    let count = 0;
    for (const thread of this.#threads) if (thread.batches() === 0) count++;
    return count;
  }

  hasStagingPlace(): boolean {
    for (const thread of this.#threads) if (thread.batches() === 1) return true;
    return false;
  }

  run(message: RunMessage, onStart?: () => void): Promise<DoneMessage> {
    let chosen: WorkerThread | null = null;
    for (const thread of this.#threads) {
      const batches = thread.batches();
      if (batches === 0) return thread.run(message, onStart);
      if (batches !== 1) continue;
      if (chosen === null || thread.startedAt() < chosen.startedAt()) chosen = thread;
    }
    return chosen!.run(message, onStart);
  }

  isDown(): boolean {
    return this.#failedStarts >= startsBeforeDown && !this.#threads.values().some((thread) => thread.isLoaded());
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    await Promise.all([...this.#threads].map((thread) => thread.close(graceMs)));
  }

  #startThread(): WorkerThread {
    const { file, setup, onIdle } = this.#options;
    const thread = startWorkerThread(file, setup, onIdle);
    this.#threads.add(thread);
    thread.ready.catch(() => {}); // also known by `exited`
    void thread.exited.then(() => this.#threads.delete(thread));
    return thread;
  }

  async #replaceWhenDead(thread: WorkerThread): Promise<void> {
    const reason = await thread.exited;
    if (this.#isClosed) return;
    this.#options.onWorkerExit(reason);
    await this.#replace();
  }

  async #replace(): Promise<void> {
    const thread = this.#startThread();
    try {
      const { failures } = await thread.ready;
      this.#failedStarts = 0;
      this.#options.onVersionFailures(failures);
      await this.#replaceWhenDead(thread);
    } catch (error) {
      if (!this.#isClosed) this.#replaceLater(error as Error);
    }
  }

  #replaceLater(error: Error): void {
    this.#failedStarts++;
    this.#options.onWorkerExit(error.message);
    if (this.isDown()) this.#options.onDown();
    const delayMs = Math.min(maxRestartDelayMs, 50 * 2 ** this.#failedStarts);
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      void this.#replace();
    }, delayMs);
    this.#restarts.add(timer);
  }
}
