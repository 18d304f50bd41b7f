/** Runs batches on an inference server, so many at a time. */
import type { BatchRunner } from '../batcher.ts';
import type { Manifest } from '../manifest.ts';
import type { BatchTensor } from '../tensors.ts';
import type { DoneMessage, RunMessage } from '../worker-messages.ts';
import { WorkerDied } from '../worker-thread.ts';
import type { Catalogue } from './catalogue.ts';
import { type InferenceClient, RemoteError, type RemoteFault } from './client.ts';
import { datatypeOf } from './datatypes.ts';
import type { WaitingCalls } from './waiting-calls.ts';

/** A batch that did not run for a reason that is not in the batch: the batcher tries it once more. */
export class BatchLost extends WorkerDied {
  readonly fault: RemoteFault;

  constructor(fault: RemoteFault, cause: unknown) {
    super((cause as Error).message, { cause });
    this.fault = fault;
  }
}

export interface RemoteRunnerOptions {
  readonly client: InferenceClient;
  readonly catalogue: Catalogue;
  readonly calls: WaitingCalls;
  readonly concurrency: number;
  /** Milliseconds for a batch for which somebody waits without a deadline. */
  readonly maxRunMs: number;
  isUp(): boolean;
  /** A place is free. */
  onIdle(): void;
  /** The server did not answer, or does not know the model: it is to be asked. */
  onDoubt(): void;
}

// The server's own word that it is late comes first.
const graceMs = 250;

export class RemoteRunner implements BatchRunner {
  readonly #options: RemoteRunnerOptions;
  readonly #running = new Map<AbortController, string>();
  #onNone = () => {};

  constructor(options: RemoteRunnerOptions) {
    this.#options = options;
  }

  hasIdle(): boolean {
    return this.#running.size < this.#options.concurrency && this.#options.isUp();
  }

  async run({ key, inputs }: RunMessage): Promise<DoneMessage> {
    const ending = new AbortController();
    this.#running.set(ending, key);
    const startedAt = performance.now();
    try {
      const { outputs, computeMs } = await this.#infer(key, inputs, ending.signal);
      return { type: 'done', outputs, computeMs: computeMs ?? performance.now() - startedAt };
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#running.delete(ending);
      if (this.#running.size === 0) this.#onNone();
      this.#options.onIdle();
    }
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onNone = resolve;
      if (this.#running.size === 0) resolve();
    });
  }

  /** Ends what runs for a version, or for all. */
  abort(key?: string): void {
    for (const [ending, running] of this.#running) {
      if (key === undefined || key === running) ending.abort(new Error('nobody waits for it any more'));
    }
  }

  async #infer(key: string, inputs: readonly BatchTensor[], signal: AbortSignal) {
    const { client, catalogue, calls, maxRunMs } = this.#options;
    const version = catalogue.get(key);
    if (version === undefined) throw new RemoteError('refused', `the inference server no longer has ${key}`);
    const { manifest } = version.loaded;
    const timeoutMs = calls.remainingMs(key, maxRunMs);
    const { outputs, parameters } = await client.infer({
      path: version.path,
      inputs,
      outputNames: manifest.outputs.map(({ name }) => name),
      parameters: { timeout: Math.ceil(timeoutMs * 1000), priority: calls.laneOf(key) === 'bulk' ? 2 : 1 },
      isBinary: catalogue.isBinary,
      timeoutMs: timeoutMs + graceMs,
      signal,
    });
    const computeMs = Object.hasOwn(parameters, 'tributary_compute_ms') ? parameters.tributary_compute_ms : undefined;
    return {
      outputs: pickOutputs(manifest, outputs, inputs[0]!.dims[0]!),
      computeMs: typeof computeMs === 'number' && computeMs >= 0 ? computeMs : undefined,
    };
  }

  #explain(error: unknown): unknown {
    if (!(error instanceof RemoteError) || error.fault === 'failed') return error;
    const isAnswer = error.fault === 'overloaded' || error.status === 504 || error.status === 408;
    if (!isAnswer) this.#options.onDoubt();
    return new BatchLost(error.fault, error);
  }
}

// Else a row would be cut from the wrong place.
function pickOutputs({ outputs: specs }: Manifest, tensors: readonly BatchTensor[], rows: number): BatchTensor[] {
  return specs.map((spec) => {
    const tensor = tensors.find(({ name }) => name === spec.name);
    const [, ...shape] = spec.shape;
    const isRight =
      tensor !== undefined &&
      tensor.type === spec.type &&
      tensor.dims.length === spec.shape.length &&
      tensor.dims[0] === rows &&
      shape.every((size, axis) => typeof size !== 'number' || size === tensor.dims[axis + 1]);
    if (isRight) return tensor;
    const got = tensor === undefined ? 'nothing' : `${datatypeOf(tensor.type)} [${tensor.dims.join(', ')}]`;
    const expected = `${datatypeOf(spec.type)} [${[rows, ...shape].join(', ')}]`;
    throw new RemoteError('unreachable', `output ${spec.name}: expected ${expected}, got ${got}`);
  });
}
