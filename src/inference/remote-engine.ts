/** The engine on an inference server elsewhere, over the Open Inference Protocol: Triton, KServe, or a Tributary. */
import { setImmediate as turn } from 'node:timers/promises';
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
import { type Availability, watchAvailability } from './protocol/availability.ts';
import { Catalogue } from './protocol/catalogue.ts';
import { createInferenceClient, type InferenceClient } from './protocol/client.ts';
import { BatchLost, RemoteRunner } from './protocol/remote-runner.ts';
import { WaitingCalls } from './protocol/waiting-calls.ts';
import type { ScannedManifests } from './repository.ts';
import { checkRows } from './row-check.ts';

export interface RemoteEngineOptions {
  /** http(s)://host:port, perhaps with a path and credentials, or unix:/path/to/a/socket. */
  readonly url: string;
  /** The manifests of this process; a whole ModelRepository will do. A Tributary server brings those that are missing. */
  readonly repository: ScannedManifests;
  /** Batches on their way at the same time. Default 4. */
  readonly concurrency?: number;
  /** Milliseconds between questions for new and retired versions. Default 2,000. */
  readonly pollMs?: number;
  /** Milliseconds until a question without an answer means that the server is down. Default 5,000. */
  readonly askTimeoutMs?: number;
  /** Milliseconds for a batch of calls without deadlines. Default 30,000. */
  readonly maxRunMs?: number;
  /** Most rows that may wait, and most rows of one call. Default 16,384. */
  readonly maxQueuedRows?: number;
  /** How long a batch should compute at most, by what was measured of its model; one row may take longer. Default 20. */
  readonly maxBatchMs?: number;
  /** How long close() waits for running batches, which then abort. Default 5,000. */
  readonly closeGraceMs?: number;
  /** Called after each run. Must not throw. */
  readonly onBatch?: (report: BatchReport) => void;
  /** Called when the server goes away and comes back, and once at the start. Must not throw. */
  readonly onAvailability?: (isUp: boolean, error?: unknown) => void;
}

/**
 * Asks the server once for its versions, and then goes on asking. While it has not answered yet the versions of the local
 * manifests are failures(); when it goes away later they stay versions, and calls fail at once until it is back. Never
 * rejects. The caller must close() the engine.
 */
export async function createRemoteEngine(options: RemoteEngineOptions): Promise<InferenceEngine> {
  const engine = new RemoteEngine(options);
  await engine.started;
  return engine;
}

class RemoteEngine implements InferenceEngine {
  readonly #options: RemoteEngineOptions;
  readonly #maxQueuedRows: number;
  readonly #client: InferenceClient;
  readonly #catalogue: Catalogue;
  readonly #calls: WaitingCalls;
  readonly #runner: RemoteRunner;
  readonly #batcher: Batcher;
  readonly #availability: Availability;
  #wasUp: boolean | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: RemoteEngineOptions) {
    const { concurrency = 4, maxQueuedRows = 16_384 } = options;
    this.#options = options;
    this.#maxQueuedRows = maxQueuedRows;
    this.#client = createInferenceClient({ url: options.url, askTimeoutMs: options.askTimeoutMs ?? 5_000 });
    this.#catalogue = new Catalogue(this.#client, options.repository);
    this.#calls = new WaitingCalls((key) => this.#runner.abort(key));
    this.#runner = new RemoteRunner({
      client: this.#client,
      catalogue: this.#catalogue,
      calls: this.#calls,
      concurrency,
      maxRunMs: options.maxRunMs ?? 30_000,
      isUp: () => this.#availability.isUp,
      onIdle: () => this.#batcher.schedule(),
      onDoubt: () => this.#availability.suspect(),
    });
    this.#batcher = new Batcher(this.#runner, {
      workers: concurrency,
      maxQueuedRows,
      maxBatchMs: options.maxBatchMs ?? 20,
      onBatch: options.onBatch,
    });
    this.#availability = watchAvailability({
      check: (signal) => this.#catalogue.refresh(signal),
      pollMs: options.pollMs ?? 2_000,
      onCheck: (isUp, error) => this.#onCheck(isUp, error),
    });
  }

  get started(): Promise<void> {
    return this.#availability.started;
  }

  versions(): readonly LoadedVersion[] {
    return this.#catalogue.versions();
  }

  failures(): readonly VersionFailure[] {
    return this.#catalogue.failures();
  }

  pendingRows(): number {
    return this.#batcher.pendingRows;
  }

  async predict(request: PredictRequest): Promise<readonly RowResult[]> {
    const version = this.#versionFor(request);
    const rows = checkRows(version.manifest, request.rows);
    if (rows.length === 0) return [];
    this.#admit(request);
    const end = this.#calls.add(versionKey(version), request);
    try {
      const results = await this.#batcher.submit(version, rows, request);
      const lost = results.find((result) => result instanceof InferenceError && result.cause instanceof BatchLost);
      if (lost !== undefined) throw errorOf((lost as InferenceError).cause as BatchLost);
      return results;
    } finally {
      end();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const aborted = () => new InferenceError('aborted', 'The server is shutting down.');
    this.#batcher.stop();
    this.#batcher.failWaiting(aborted());
    const grace = setTimeout(() => {
      this.#batcher.failAll(aborted());
      this.#runner.abort();
    }, this.#options.closeGraceMs ?? 5_000);
    await this.#runner.idle();
    clearTimeout(grace);
    // After the batcher has handed out what ran last.
    await turn();
    this.#batcher.failAll(aborted());
    this.#availability.close();
    this.#client.close();
  }

  #onCheck(isUp: boolean, error?: unknown): void {
    if (isUp !== this.#wasUp) this.#options.onAvailability?.(isUp, error);
    this.#wasUp = isUp;
    if (isUp) {
      this.#batcher.schedule();
      return;
    }
    this.#batcher.failAll(cannotRun());
    this.#runner.abort();
  }

  #versionFor({ model, version }: PredictRequest): LoadedVersion {
    const key = versionKey({ name: model, version });
    const found = this.#catalogue.get(key);
    if (found !== undefined) return found.loaded;
    if (this.#availability.isDown && this.#catalogue.isLocal(key)) throw cannotRun();
    throw new InferenceError('unknown-model', `No model ${JSON.stringify(key)}.`);
  }

  #admit({ rows, signal, deadlineMs }: PredictRequest): void {
    if (this.#closing !== null) throw new InferenceError('aborted', 'The server is shutting down.');
    if (signal?.aborted) throw new InferenceError('aborted', 'The prediction was cancelled.');
    if (deadlineMs !== undefined && deadlineMs <= 0) throw tookTooLong();
    if (rows.length > this.#maxQueuedRows) {
      const limit = `at most ${this.#maxQueuedRows} rows in a call, got ${rows.length}`;
      throw new InferenceError('invalid-input', `expected ${limit}`);
    }
    if (this.#availability.isDown) throw cannotRun();
  }
}

/** What the calls of a lost batch are told. */
function errorOf(lost: BatchLost): InferenceError {
  const { fault, cause } = lost;
  if (fault === 'overloaded') {
    return new InferenceError('overloaded', 'Too many predictions are waiting; try again later.', { cause });
  }
  return fault === 'timeout' ? tookTooLong(cause) : cannotRun(cause);
}

function tookTooLong(cause?: unknown): InferenceError {
  return new InferenceError('timeout', 'The prediction took too long.', { cause });
}

function cannotRun(cause?: unknown): InferenceError {
  return new InferenceError('unavailable', 'Predictions are not available now.', { cause });
}
