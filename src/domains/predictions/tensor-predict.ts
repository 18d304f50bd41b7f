/** Any model as it is: tensors in, tensors out. */
import { type Context, requireViewer } from '../../context.ts';
import { badUserInput, publicError } from '../../errors.ts';
import { InferenceError, type LoadedVersion, type Row, type TensorData } from '../../inference/engine.ts';
import type { TensorSpec } from '../../inference/manifest.ts';
import { elementCount, newTensorData } from '../../inference/tensors.ts';
import { WorkerDied } from '../../inference/worker-thread.ts';
import { type ModelVersionEntry, toEntry } from './models.ts';
import { serveCall, servingVersionOf } from './serving.ts';
import { agreeOnTensors } from './shadow-agreement.ts';
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
  const { organizationId } = requireViewer(context);
  const version = chooseVersion(context, organizationId, wanted);
  const rows = readRows(version.manifest.inputs, inputs);
  const results = await serveCall<Row>(context, {
    organizationId,
    version,
    batchSize: rows.length,
    run: async (_version, predict) =>
      (await predict(rows)).map((result) => (result instanceof InferenceError ? result : result.outputs)),
    agree: agreeOnTensors,
  });
  return { modelVersion: toEntry(version), outputs: stackOutputs(version.manifest.outputs, results) };
}

/** The version asked for, or the one that answers the viewer. */
function chooseVersion(
  context: Context,
  organizationId: string,
  wanted: { model: string; version?: string | undefined },
): LoadedVersion {
  const versions = context.inference.versions().filter(({ name }) => name === wanted.model);
  if (versions.length === 0) throw notLoaded('model', 'expected the name of a model with a loaded version');
  if (wanted.version === undefined) return servingVersionOf(context, organizationId, wanted.model);
  const version = versions.find((candidate) => candidate.version === wanted.version);
  if (version) return version;
  const names = versions.map((candidate) => candidate.version).join(', ');
  throw notLoaded('version', `expected a loaded version of ${wanted.model}: ${names}`);
}

function notLoaded(path: string, message: string) {
  return publicError('NOT_FOUND', `${path}: ${message}`, { issues: [{ path, message }] });
}

/** @throws when a row failed, or rows differ in shape: an answer is whole or none */
function stackOutputs(specs: readonly TensorSpec[], results: readonly (Row | Error)[]): TensorOutput[] {
  const rows = results.map((result, index) => {
    if (result instanceof Error) throw rowError(result, index);
    return result;
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
function rowError(error: Error, row: number): Error {
  const isRefused = error instanceof InferenceError && error.kind === 'failed' && !(error.cause instanceof WorkerDied);
  if (!isRefused) return error;
  return badUserInput({ path: 'inputs', message: `row ${row}: ${error.message}` });
}

function differentShapes({ name }: TensorSpec, first: readonly number[], other: readonly number[], row: number) {
  const message = `expected rows that give ${name} one shape: row 0 gives ${showShape(first)}, row ${row} ${showShape(other)}; send them apart`;
  return badUserInput({ path: 'inputs', message });
}
