/** Checks the rows of a call against the manifest before anything is queued. */
import { InferenceError, type Row, type RowTensor } from './engine.ts';
import type { Manifest, TensorSpec } from './manifest.ts';
import { type RowShape, rowShapeOf, type TensorShape } from './row-shape.ts';
import { elementCount, isTensorData, tensorDataName } from './tensors.ts';

/** A row that fits the manifest, with the sizes of its dynamic axes. */
export interface CheckedRow {
  readonly row: Row;
  /** Where its result belongs in the answer. */
  readonly index: number;
  /** This row's size of each dynamic axis, in the order of RowShape. */
  readonly axes: readonly number[];
  readonly elements: number;
}

const noAxes: readonly number[] = [];
// Rows with one dynamic axis, by far the most common, share these: less garbage in the queue.
const oneAxis: (readonly number[])[] = [];
const maxShared = 4_096;

/** Throws an InferenceError (invalid-input) that names the row, the input, what was expected and what it got. */
export function checkRows(manifest: Manifest, rows: readonly Row[]): CheckedRow[] {
  const shape = rowShapeOf(manifest);
  return rows.map((row, index) => checkRow(shape, row, index));
}

function checkRow(shape: RowShape, row: Row, index: number): CheckedRow {
  const axes: number[] | null = shape.axes === 0 ? null : new Array(shape.axes).fill(-1);
  let elements = 0;
  for (const input of shape.inputs) {
    const { spec } = input;
    const tensor = Object.hasOwn(row, spec.name) ? row[spec.name] : undefined;
    if (tensor === undefined) refuse(index, spec, 'a tensor', 'nothing');
    if (!isTensorData(tensor.data, spec.type)) {
      refuse(index, spec, tensorDataName(spec.type), Object.prototype.toString.call(tensor.data).slice(8, -1));
    }
    checkDims(input, tensor, axes, index);
    elements += tensor.data.length;
  }
  let names = 0;
  for (const name in row) if (Object.hasOwn(row, name)) names++;
  if (names > shape.inputs.length) refuseUnknown(shape, row, index);
  return { row, index, axes: axes === null ? noAxes : sharedAxes(axes), elements };
}

function sharedAxes(axes: readonly number[]): readonly number[] {
  const [size] = axes;
  if (axes.length !== 1 || size! >= maxShared) return axes;
  oneAxis[size!] ??= axes;
  return oneAxis[size!]!;
}

// Writes the sizes of dynamic axes into `axes`, in which -1 stands for one that was not met yet.
function checkDims(
  { spec, sizes, axes: places }: TensorShape,
  tensor: RowTensor,
  axes: number[] | null,
  index: number,
) {
  const { dims, data } = tensor;
  let hasShape = dims.length === sizes.length;
  let elements = 1;
  for (let axis = 0; hasShape && axis < sizes.length; axis++) {
    const size = dims[axis]!;
    elements *= size;
    if (sizes[axis] !== null) {
      hasShape = size === sizes[axis];
      continue;
    }
    const place = places[axis]!;
    hasShape = Number.isSafeInteger(size) && size >= 0 && (axes![place] === -1 || axes![place] === size);
    axes![place] = size;
  }
  if (!hasShape) refuse(index, spec, `dims [${spec.shape.slice(1).join(', ')}]`, `[${dims.slice(0, 8).join(', ')}]`);
  if (data.length !== elements) {
    refuse(index, spec, `${elementCount(dims)} elements for dims [${dims.join(', ')}]`, String(data.length));
  }
}

function refuseUnknown({ inputs }: RowShape, row: Row, index: number): never {
  const names = inputs.map(({ spec }) => spec.name);
  const unknown = Object.keys(row).find((name) => !names.includes(name))!;
  throw invalid(
    `row ${index}: expected the inputs ${names.join(', ')}, got another, ${JSON.stringify(unknown.slice(0, 40))}`,
  );
}

function refuse(index: number, spec: TensorSpec, expected: string, got: string): never {
  throw invalid(`row ${index}, input ${spec.name}: expected ${expected}, got ${got}`);
}

function invalid(message: string): InferenceError {
  return new InferenceError('invalid-input', message);
}
