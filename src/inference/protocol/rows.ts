/** Between the batched tensors of requests and the rows of the engine. */
import { InferenceError, type Row, type RowOutput, type RowResult } from '../engine.ts';
import type { Manifest } from '../manifest.ts';
import { type BatchTensor, elementCount, newTensorData } from '../tensors.ts';
import { datatypeOf } from './datatypes.ts';
import { ProtocolError, shown } from './protocol-error.ts';

/**
 * The rows of a request, as views of its tensors. Throws a ProtocolError when names, datatypes or the numbers of rows do
 * not fit; the engine checks the rest of the shapes.
 */
export function splitRows(manifest: Manifest, inputs: readonly BatchTensor[], maxRows: number): Row[] {
  const known = manifest.inputs.map(({ name }) => name).join(', ');
  for (const { name } of inputs) {
    if (manifest.inputs.some((spec) => spec.name === name)) continue;
    throw new ProtocolError(`inputs: expected ${known}, got another, ${shown(name)}`);
  }
  const tensors = manifest.inputs.map((spec) => {
    const tensor = inputs.find(({ name }) => name === spec.name);
    const where = `input ${shown(spec.name)}`;
    if (tensor === undefined) throw new ProtocolError(`${where}: expected a tensor, got nothing`);
    if (tensor.type !== spec.type) {
      throw new ProtocolError(`${where}: expected ${datatypeOf(spec.type)}, got ${datatypeOf(tensor.type)}`);
    }
    return tensor;
  });
  const count = tensors[0]!.dims[0];
  if (count === undefined || count < 1 || count > maxRows || tensors.some(({ dims }) => dims[0] !== count)) {
    const got = tensors.map(({ name, dims }) => `${shown(name)} [${dims.join(', ')}]`).join(', ');
    throw new ProtocolError(`inputs: expected the same 1 to ${maxRows} rows as first axis of each, got ${got}`);
  }
  const cuts = tensors.map(({ name, dims: [, ...dims], data }) => ({ name, dims, data, size: elementCount(dims) }));
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(
      cuts.map(({ name, dims, data, size }) => [name, { data: data.subarray(row * size, (row + 1) * size), dims }]),
    ),
  );
}

/** What came of a request's rows. */
export interface JoinedRows {
  /** Of the wanted outputs; a failed row is zeros. */
  readonly outputs: readonly BatchTensor[];
  /** From a failed row's index to its message. */
  readonly failures: ReadonlyMap<number, string>;
  /** The request's share of the runs its rows were part of; milliseconds. */
  readonly computeMs: number;
}

/** Puts the rows of an answer together. Throws an InferenceError (failed) when all of them failed. */
export function joinRows(manifest: Manifest, results: readonly RowResult[], names: readonly string[]): JoinedRows {
  const failures = new Map<number, string>();
  let computeMs = 0;
  let sample: RowOutput | undefined;
  results.forEach((result, index) => {
    if (result instanceof InferenceError) failures.set(index, result.message);
    else {
      sample ??= result;
      // A row from a cache ran with none.
      if (result.batchRows > 0) computeMs += result.computeMs / result.batchRows;
    }
  });
  const first = sample;
  if (first === undefined) throw results[0] as InferenceError;
  const outputs = names.map((name) => joinOutput(manifest, results, { name, rowDims: first.outputs[name]!.dims }));
  return { outputs, failures, computeMs };
}

function joinOutput(
  manifest: Manifest,
  results: readonly RowResult[],
  { name, rowDims }: { name: string; rowDims: readonly number[] },
): BatchTensor {
  const { type } = manifest.outputs.find((spec) => spec.name === name)!;
  const size = elementCount(rowDims);
  const data = newTensorData(type, results.length * size);
  results.forEach((result, index) => {
    if (result instanceof InferenceError) return;
    const row = result.outputs[name]!;
    // Only a model whose outputs depend on more than the shapes of its inputs.
    if (row.dims.some((axis, at) => axis !== rowDims[at])) {
      throw new InferenceError('failed', `The rows of output ${name} have different shapes: send fewer rows.`);
    }
    (data as Float32Array).set(row.data as Float32Array, index * size);
  });
  return { name, type, dims: [results.length, ...rowDims], data };
}
