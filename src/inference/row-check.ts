/** Checks the rows of a call against the manifest before anything is queued. */
import { InferenceError, type Row, type RowTensor } from './engine.ts';
import type { Manifest, TensorSpec } from './manifest.ts';
import { elementCount, isTensorData, tensorDataName } from './tensors.ts';

/** A row that fits the manifest, with the sizes of its dynamic axes. */
export interface CheckedRow {
  readonly row: Row;
  /** Where its result belongs in the answer. */
  readonly index: number;
  /** From the name of a dynamic axis to this row's size. */
  readonly axes: ReadonlyMap<string, number>;
  readonly elements: number;
}

/** Throws an InferenceError (invalid-input) that names the row, the input, what was expected and what it got. */
export function checkRows(manifest: Manifest, rows: readonly Row[]): CheckedRow[] {
  return rows.map((row, index) => checkRow(manifest, row, index));
}

function checkRow(manifest: Manifest, row: Row, index: number): CheckedRow {
  const axes = new Map<string, number>();
  let elements = 0;
  for (const spec of manifest.inputs) {
    const tensor = Object.hasOwn(row, spec.name) ? row[spec.name] : undefined;
    if (tensor === undefined) refuse(index, spec, 'a tensor', 'nothing');
    if (!isTensorData(tensor.data, spec.type)) {
      refuse(index, spec, tensorDataName(spec.type), Object.prototype.toString.call(tensor.data).slice(8, -1));
    }
    checkDims(spec, tensor, axes, index);
    elements += tensor.data.length;
  }
  for (const name of Object.keys(row)) {
    if (manifest.inputs.some((spec) => spec.name === name)) continue;
    const known = manifest.inputs.map((spec) => spec.name).join(', ');
    throw invalid(`row ${index}: expected the inputs ${known}, got another, ${JSON.stringify(name.slice(0, 40))}`);
  }
  return { row, index, axes, elements };
}

function checkDims(spec: TensorSpec, tensor: RowTensor, axes: Map<string, number>, index: number): void {
  const [, ...shape] = spec.shape;
  const { dims, data } = tensor;
  const hasShape =
    dims.length === shape.length &&
    dims.every((size, axis) => {
      const expected = shape[axis]!;
      if (typeof expected === 'number') return size === expected;
      if (!Number.isSafeInteger(size) || size < 0) return false;
      const known = axes.get(expected);
      axes.set(expected, size);
      return known === undefined || known === size;
    });
  if (!hasShape) refuse(index, spec, `dims [${shape.join(', ')}]`, `[${dims.slice(0, 8).join(', ')}]`);
  if (data.length !== elementCount(dims)) {
    refuse(index, spec, `${elementCount(dims)} elements for dims [${dims.join(', ')}]`, String(data.length));
  }
}

function refuse(index: number, spec: TensorSpec, expected: string, got: string): never {
  throw invalid(`row ${index}, input ${spec.name}: expected ${expected}, got ${got}`);
}

function invalid(message: string): InferenceError {
  return new InferenceError('invalid-input', message);
}
