/** An ONNX session that agrees with its manifest. Used in worker threads only: creating and running block the thread. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Manifest, TensorSpec } from './manifest.ts';
import { type ModelFiles, readModelBytes } from './repository.ts';
import { type BatchTensor, elementCount, newTensorData } from './tensors.ts';

export interface ModelSession {
  readonly manifest: Manifest;
  readonly session: InferenceSession;
  readonly executionProvider: string;
}

/** Loads, checks and warms a version. Throws an Error of one line when it cannot serve what its manifest says. */
export async function openSession(files: ModelFiles, intraOpThreads: number): Promise<ModelSession> {
  const { manifest, modelPath } = files;
  // The bytes that were checked are the bytes that run, whatever happens to the file in between.
  const bytes = await readModelBytes(modelPath, manifest.sha256);
  const session = await createSession(bytes, intraOpThreads);
  const opened = { manifest, session, executionProvider: 'cpu' };
  try {
    checkMetadata('input', manifest.inputs, session.inputMetadata, true);
    checkMetadata('output', manifest.outputs, session.outputMetadata, false);
    await warmUp(opened);
  } catch (error) {
    await session.release();
    throw error;
  }
  return opened;
}

/** Runs one batch; outputs in the manifest's order, in memory that only the caller holds. */
export async function runSession(model: ModelSession, inputs: readonly BatchTensor[]): Promise<BatchTensor[]> {
  const feeds = Object.fromEntries(
    inputs.map(({ name, type, dims, data }) => [name, new Tensor(type, data as Float32Array, dims) as Tensor]),
  );
  const names = model.manifest.outputs.map((spec) => spec.name);
  const results = await model.session.run(feeds, names);
  return model.manifest.outputs.map((spec) => {
    const { dims, data } = results[spec.name]!;
    checkOutput(spec, dims, inputs[0]!.dims[0]!);
    return { name: spec.name, type: spec.type, dims, data: data as BatchTensor['data'] };
  });
}

/** The first line of an error's message, at most 300 characters. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split('\n')[0] ?? '').slice(0, 300);
}

async function createSession(bytes: Uint8Array, intraOpThreads: number): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: intraOpThreads,
      interOpNumThreads: 1,
      logSeverityLevel: 4, // fatal only: errors are thrown, and reported by us
    });
  } catch (error) {
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

// Some models need more than one step on a dynamic axis (a convolution, for one), so larger sizes are tried as well.
async function warmUp(model: ModelSession): Promise<void> {
  let failure: unknown;
  for (const size of [1, 16, 128]) {
    try {
      await runSession(model, zeroBatch(model.manifest, 2, size));
      return;
    } catch (error) {
      failure ??= error;
    }
  }
  throw new Error(`model.onnx: cannot run two rows of zeros: ${firstLine(failure)}`);
}

function zeroBatch(manifest: Manifest, rows: number, axisSize: number): BatchTensor[] {
  return manifest.inputs.map(({ name, type, shape: [, ...shape] }) => {
    const dims = [rows, ...shape.map((size) => (typeof size === 'number' ? size : axisSize))];
    return { name, type, dims, data: newTensorData(type, elementCount(dims)) };
  });
}

// Else a row would be cut from the wrong place.
function checkOutput({ name, shape: [, ...shape] }: TensorSpec, dims: readonly number[], rows: number): void {
  const isRight = dims.length === shape.length + 1 && dims[0] === rows;
  if (isRight && shape.every((size, axis) => typeof size !== 'number' || size === dims[axis + 1])) return;
  throw new Error(`output ${name}: expected [${[rows, ...shape].join(', ')}], got [${dims.join(', ')}]`);
}
