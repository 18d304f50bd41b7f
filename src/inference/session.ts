/** An ONNX session that agrees with its manifest. Used in worker threads only: creating and running block the thread. */
import { threadId } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { allowedRows, cutRows, padRows } from './batch-padding.ts';
import {
  batchSizesOf,
  type ExecutionProvider,
  firstLine,
  isGpu,
  onFirstProvider,
  sessionOptions,
} from './execution-providers.ts';
import { type GpuLock, withGpuLock } from './gpu-lock.ts';
import type { Manifest, TensorSpec } from './manifest.ts';
import { type ModelFiles, readModelBytes } from './repository.ts';
import type { BatchTensor } from './tensors.ts';
import { warmUp } from './warm-up.ts';

export interface SessionSetup {
  readonly intraOpThreads: number;
  /** In order of preference, the first that loads wins; cpu is the last resort. Default: only that. */
  readonly executionProviders?: readonly ExecutionProvider[] | undefined;
  /** Of the whole process; must be given where there is more than one worker and webgpu may be used. */
  readonly gpuLock?: GpuLock | undefined;
}

export interface ModelSession {
  readonly manifest: Manifest;
  readonly session: InferenceSession;
  readonly executionProvider: ExecutionProvider;
  /** Why those preferred to it could not be used, a line each. */
  readonly skippedProviders: readonly string[];
  /** The batch sizes it is run with, ascending; null: any. */
  readonly batchSizes: readonly number[] | null;
  readonly gpuLock: GpuLock | undefined;
}

/** The execution provider runs nothing any more: the worker is to be replaced. */
export class ProviderLost extends Error {}

/** Loads, checks and warms a version. Throws an Error of one line when it cannot serve what its manifest says. */
export async function openSession({ manifest, modelPath }: ModelFiles, setup: SessionSetup): Promise<ModelSession> {
  // The bytes that were checked are the bytes that run, whatever happens to the file in between.
  const bytes = await readModelBytes(modelPath, manifest.sha256);
  const providers = setup.executionProviders ?? ['cpu'];
  const { opened, skippedProviders } = await onFirstProvider(providers, async (executionProvider) => {
    const gpuLock = executionProvider === 'webgpu' ? setup.gpuLock : undefined;
    const session = await locked(gpuLock, () => createSession(bytes, executionProvider, setup.intraOpThreads));
    const batchSizes = batchSizesOf(manifest, executionProvider);
    const model = { manifest, session, executionProvider, skippedProviders: [], batchSizes, gpuLock };
    try {
      checkMetadata('input', manifest.inputs, session.inputMetadata, true);
      checkMetadata('output', manifest.outputs, session.outputMetadata, false);
      await warmUp(manifest, batchSizes, (inputs) => runUnguarded(model, inputs));
    } catch (error) {
      await closeSession(model);
      throw error;
    }
    return model;
  });
  return { ...opened, skippedProviders };
}

/**
 * Runs one batch, padded to an allowed size; outputs in the manifest's order, in memory that only the caller holds.
 * Throws what the runtime says of this batch, or ProviderLost when it is not the batch's fault.
 */
export async function runSession(model: ModelSession, inputs: readonly BatchTensor[]): Promise<BatchTensor[]> {
  try {
    return await runUnguarded(model, inputs);
  } catch (error) {
    if (isGpu(model.executionProvider) && !(await isRunnable(model))) {
      throw new ProviderLost(`${model.executionProvider} runs nothing any more: ${firstLine(error)}`, { cause: error });
    }
    throw error;
  }
}

export function closeSession({ session, gpuLock }: Pick<ModelSession, 'session' | 'gpuLock'>): Promise<void> {
  return locked(gpuLock, () => session.release());
}

async function isRunnable(model: ModelSession): Promise<boolean> {
  try {
    await warmUp({ ...model.manifest, deterministic: false }, null, (inputs) => runUnguarded(model, inputs));
    return true;
  } catch {
    return false;
  }
}

async function runUnguarded(model: ModelSession, inputs: readonly BatchTensor[]): Promise<BatchTensor[]> {
  const rows = inputs[0]!.dims[0]!;
  const padded = padRows(inputs, allowedRows(rows, model.batchSizes));
  const feeds = Object.fromEntries(
    padded.map(({ name, type, dims, data }) => [name, new Tensor(type, data as Float32Array, dims) as Tensor]),
  );
  const names = model.manifest.outputs.map((spec) => spec.name);
  const results = await locked(model.gpuLock, () => model.session.run(feeds, names));
  const outputs = model.manifest.outputs.map((spec) => {
    const { dims, data } = results[spec.name]!;
    checkOutput(spec, dims, padded[0]!.dims[0]!);
    return { name: spec.name, type: spec.type, dims, data: data as BatchTensor['data'] };
  });
  return cutRows(outputs, rows);
}

function locked<Result>(lock: GpuLock | undefined, work: () => Promise<Result>): Promise<Result> {
  return lock === undefined ? work() : withGpuLock(lock, threadId, work);
}

async function createSession(
  bytes: Uint8Array,
  executionProvider: ExecutionProvider,
  intraOpThreads: number,
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, sessionOptions(executionProvider, intraOpThreads));
  } catch (error) {
    if (isGpu(executionProvider)) throw error;
    throw new Error(`model.onnx: ${loadFailure(error)}`);
  }
}

// The runtime's own words on operator sets begin with a place in its source, and are cut off before they say anything.
function loadFailure(error: unknown): string {
  const [, set, newest] = /Opset (\d+) is under development.* till opset (\d+)/s.exec(String(error)) ?? [];
  if (set !== undefined) return `expected operator set ${newest} or an older one, got ${set}`;
  return `cannot be loaded: ${firstLine(error)}`;
}

type Metadata = readonly InferenceSession.ValueMetadata[];

function checkMetadata(kind: 'input' | 'output', specs: readonly TensorSpec[], metadata: Metadata, isWhole: boolean) {
  for (const spec of specs) {
    const actual = metadata.find((value) => value.name === spec.name);
    const expected = `${spec.type} [${spec.shape.join(', ')}]`;
    const got =
      actual === undefined ? 'nothing' : actual.isTensor ? `${actual.type} [${actual.shape.join(', ')}]` : '?';
    if (actual?.isTensor && actual.type === spec.type && isCompatible(spec.shape, actual.shape)) continue;
    throw new Error(`model.onnx: ${kind} ${spec.name}: expected ${expected} as in manifest.json, got ${got}`);
  }
  const unknown = metadata.find((value) => !specs.some((spec) => spec.name === value.name));
  if (isWhole && unknown !== undefined) {
    throw new Error(`manifest.json: ${kind}s: expected ${kind} ${unknown.name} of model.onnx, got nothing`);
  }
}

// The manifest may fix an axis that the model leaves open, never the other way round. No shape at all is open too.
function isCompatible(expected: TensorSpec['shape'], actual: readonly (number | string)[]): boolean {
  if (actual.length !== expected.length) return actual.length === 0;
  return expected.every((size, axis) => {
    const open = typeof actual[axis] !== 'number' || actual[axis] < 1;
    return open || actual[axis] === size;
  });
}

// Else a row would be cut from the wrong place.
function checkOutput({ name, shape: [, ...shape] }: TensorSpec, dims: readonly number[], rows: number): void {
  const isRight = dims.length === shape.length + 1 && dims[0] === rows;
  if (isRight && shape.every((size, axis) => typeof size !== 'number' || size === dims[axis + 1])) return;
  throw new Error(`output ${name}: expected [${[rows, ...shape].join(', ')}], got [${dims.join(', ')}]`);
}
