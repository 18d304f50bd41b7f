/** A batcher for tests over workers whose batches end, and whose time passes, when the test says so. */
import { setImmediate as turn } from 'node:timers/promises';
import { onTestFinished, vi } from 'vitest';
import { Batcher, type BatcherOptions, type BatchRunner } from './batcher.ts';
import type { LoadedVersion, PredictRequest, RowResult } from './engine.ts';
import { type ManifestInput, manifestSchema } from './manifest.ts';
import { checkRows } from './row-check.ts';
import { newTensorData } from './tensors.ts';
import { valuesRow } from './testing-engine.ts';
import type { DoneMessage, RunMessage } from './worker-messages.ts';
import { WorkerDied } from './worker-thread.ts';

interface GivenBatch {
  readonly message: RunMessage;
  readonly onStart: (() => void) | undefined;
  readonly ended: PromiseWithResolvers<DoneMessage>;
}

/** Doubles its input. Each worker is a list of batches: the first runs, the second is staged. */
export class TestRunner implements BatchRunner {
  readonly workers: GivenBatch[][];
  readonly #startedAt: number[];
  /** A worker can take a batch. */
  onIdle: () => void = () => {};

  constructor(workers: number) {
    this.workers = Array.from({ length: workers }, () => []);
    this.#startedAt = new Array(workers).fill(0);
  }

  hasIdle(): boolean {
    return this.idleCount() > 0;
  }

  idleCount(): number {
    return this.workers.filter(({ length }) => length === 0).length;
  }

  hasStagingPlace(): boolean {
    return this.workers.some(({ length }) => length === 1);
  }

  run(message: RunMessage, onStart?: () => void): Promise<DoneMessage> {
    const ended = Promise.withResolvers<DoneMessage>();
    const [idle, place] = [0, 1].map((batches) => this.workers.findIndex(({ length }) => length === batches));
    const worker = idle! >= 0 ? idle! : place!;
    if (worker === idle) this.#startedAt[worker] = performance.now();
    this.workers[worker]!.push({ message, onStart, ended });
    return ended.promise;
  }

  /** The first values of the rows of each batch of a worker: what runs, then what is staged. */
  valuesOf(worker = 0): number[][] {
    return this.workers[worker]!.map(({ message: { inputs } }) => {
      const [rows = 0, length = 0] = inputs[0]!.dims;
      return Array.from({ length: rows }, (_, row) => Number(inputs[0]!.data[row * length]));
    });
  }

  /** Ends what runs in a worker after so many milliseconds. */
  async end(tookMs: number, worker = 0): Promise<void> {
    vi.advanceTimersByTime(tookMs);
    const { message, ended } = this.workers[worker]!.shift()!;
    const outputs = message.inputs.map(({ data, type, dims }) => {
      const doubled = newTensorData(type, data.length) as Float32Array;
      return { name: 'doubled', type, dims, data: doubled.map((_, at) => 2 * Number(data[at])) };
    });
    ended.resolve({ type: 'done', outputs, computeMs: performance.now() - this.#startedAt[worker]! });
    await this.#next(worker);
  }

  /** Ends a worker with all that it has; another takes its place. */
  async die(worker = 0): Promise<void> {
    for (const { ended } of this.workers[worker]!.splice(0)) ended.reject(new WorkerDied('killed by the test'));
    await this.#next(worker);
  }

  async #next(worker: number): Promise<void> {
    this.#startedAt[worker] = performance.now();
    this.workers[worker]![0]?.onStart?.();
    this.onIdle();
    await turns();
  }
}

/** Long enough for a batch to start, and for its results to be handed out. */
export async function turns(): Promise<void> {
  for (let count = 0; count < 4; count++) await turn();
}

/**
 * A batcher over such workers, with one version `doubling` of rows of one value (8 in a batch unless the manifest says
 * otherwise). Time stands still but for end() and timers that the test advances.
 */
export function startBatcher(
  options: Partial<BatcherOptions> = {},
  manifest: Partial<ManifestInput> = {},
): { batcher: Batcher; runner: TestRunner; version: LoadedVersion; predict: PredictValues } {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const { workers = 1 } = options;
  const runner = new TestRunner(workers);
  const batcher = new Batcher(runner, { maxQueuedRows: 10_000, maxBatchMs: 1_000, ...options, workers });
  runner.onIdle = () => batcher.schedule();
  const version = versionOf(manifest);
  const predict: PredictValues = (values, { of = version, ...request } = {}) => {
    const rows = values.map((value) => valuesRow(...[value].flat()));
    const checked = checkRows(of.manifest, rows);
    return batcher.submit(of, checked, { model: of.name, version: of.version, rows, ...request });
  };
  return { batcher, runner, version, predict };
}

/** A call with a row for each value, or for each list of values. */
export type PredictValues = (
  values: readonly (number | number[])[],
  request?: Partial<PredictRequest> & { of?: LoadedVersion },
) => Promise<readonly RowResult[]>;

/** A version whose rows are vectors of any length. */
export function versionOf(changes: Partial<ManifestInput>): LoadedVersion {
  const manifest = manifestSchema.parse({
    name: 'doubling',
    version: '1',
    task: 'SENTIMENT',
    precision: 'FP32',
    deterministic: true,
    maxBatchRows: 8,
    inputs: [{ name: 'values', type: 'float32', shape: ['batch', 'steps'] }],
    outputs: [{ name: 'doubled', type: 'float32', shape: ['batch', 'steps'] }],
    licence: 'MIT',
    sha256: 'a'.repeat(64),
    ...changes,
  });
  const { name, version, task, precision } = manifest;
  return { name, version, task, precision, manifest, executionProvider: 'cpu' };
}
