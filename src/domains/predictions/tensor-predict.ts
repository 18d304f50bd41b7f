/** Any model as it is: tensors in, tensors out. */
import { type Context, requireViewer } from '../../context.ts';
import { badUserInput, publicError } from '../../errors.ts';
import { type InferenceEngine, InferenceError, type RowResult, type TensorData } from '../../inference/engine.ts';
import type { TensorSpec } from '../../inference/manifest.ts';
import { elementCount, newTensorData } from '../../inference/tensors.ts';
import { WorkerDied } from '../../inference/worker-thread.ts';
import { defaultVersion, type ModelVersionEntry, toEntry, toPublicError } from './models.ts';
import { maxTensorElements, readRows, showShape, type TensorInput } from './tensor-input.ts';

/** The batch axis first, elements in row-major order. */
export interface TensorOutput {
  spec: TensorSpec;
  shape: readonly number[];
  data: TensorData;
}

export interface TensorPrediction {
  modelVersion: ModelVersionEntry;
  /** In the order of the manifest. */
  outputs: readonly TensorOutput[];
}

/**
 * Runs tensors through a model of any task, as one call of the engine: its rows share batches with those of other requests.
 * @throws NOT_FOUND naming model or version, BAD_USER_INPUT naming what does not fit the model, OVERLOADED, TIMEOUT
 */
export async function predictTensors(
  context: Context,
  wanted: { model: string; version?: string | undefined },
  inputs: readonly TensorInput[],
): Promise<TensorPrediction> {
  const { inference, predictions, signal } = context;
  const { organizationId } = requireViewer(context);
  const { version, isServing } = chooseVersion(inference, wanted);
  const rows = readRows(version.manifest.inputs, inputs);
  const { name: model, version: versionName, precision } = version;
  const startedAt = performance.now();
  const results = await inference.predict({ model, version: versionName, rows, signal }).catch((error: unknown) => {
    throw toPublicError(error);
  });
  const latencyMs = performance.now() - startedAt;
  predictions.record({ organizationId, model, version: versionName, precision, latencyMs, batchSize: rows.length });
  return { modelVersion: toEntry(version, isServing), outputs: stackOutputs(version.manifest.outputs, results) };
}

/** The version asked for, or the one that serves the model by default. */
function chooseVersion(inference: InferenceEngine, wanted: { model: string; version?: string | undefined }) {
  const versions = inference.versions().filter(({ name }) => name === wanted.model);
  if (versions.length === 0) throw notLoaded('model', 'expected the name of a model with a loaded version');
  const serving = defaultVersion(versions);
  if (wanted.version === undefined) return { version: serving, isServing: true };
  const version = versions.find((candidate) => candidate.version === wanted.version);
  if (version) return { version, isServing: version === serving };
  const names = versions.map((candidate) => candidate.version).join(', ');
  throw notLoaded('version', `expected a loaded version of ${wanted.model}: ${names}`);
}

function notLoaded(path: string, message: string) {
  return publicError('NOT_FOUND', `${path}: ${message}`, { issues: [{ path, message }] });
}

/** @throws when a row failed, or rows differ in shape: an answer is whole or none */
function stackOutputs(specs: readonly TensorSpec[], results: readonly RowResult[]): TensorOutput[] {
  const rows = results.map((result, index) => {
    if (result instanceof InferenceError) throw rowError(result, index);
    return result.outputs;
  });
  const elements = rows.reduce((sum, row) => specs.reduce((count, { name }) => count + row[name]!.data.length, sum), 0);
  if (elements > maxTensorElements) {
    throw badUserInput({
      path: 'inputs',
      message: `expected rows whose outputs have at most ${maxTensorElements} elements in all, got ${elements}: send fewer`,
    });
  }
  return specs.map((spec) => {
    const tensors = rows.map((row) => row[spec.name]!);
    const { dims } = tensors[0]!;
    const size = elementCount(dims);
    const data = newTensorData(spec.type, rows.length * size) as Float32Array;
    for (const [index, tensor] of tensors.entries()) {
      if (tensor.dims.join() !== dims.join()) throw differentShapes(spec, dims, tensor.dims, index);
      data.set(tensor.data as Float32Array, index * size);
    }
    return { spec, shape: [rows.length, ...dims], data };
  });
}

/** What the runtime refuses is the row's fault, unless the worker died of something else. Its words stay here. */
function rowError(error: InferenceError, row: number): unknown {
  if (error.kind !== 'failed' || error.cause instanceof WorkerDied) return toPublicError(error);
  return badUserInput({ path: 'inputs', message: `row ${row}: ${error.message}` });
}

function differentShapes({ name }: TensorSpec, first: readonly number[], other: readonly number[], row: number) {
  const message = `expected rows that give ${name} one shape: row 0 gives ${showShape(first)}, row ${row} ${showShape(other)}; send them apart`;
  return badUserInput({ path: 'inputs', message });
}
