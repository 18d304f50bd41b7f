/** Typed arrays of the element types, and copying blocks between tensors of different dims. */
import type { TensorData } from './engine.ts';
import type { ElementType } from './manifest.ts';

/** A tensor with its batch axis. */
export interface BatchTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} satisfies Record<ElementType, unknown>;

/** A new array of zeros. */
export function newTensorData(type: ElementType, length: number): TensorData {
  return new arrays[type](length);
}

/** Whether a value is the typed array of an element type. */
export function isTensorData(value: unknown, type: ElementType): value is TensorData {
  return value instanceof arrays[type];
}

/** The name of the typed array that an element type wants, for messages. */
export function tensorDataName(type: ElementType): string {
  return arrays[type].name;
}

/** The number of elements of dims; 1 for no dims. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

/** Elements in row-major order, of which a block starts at `offset` and has `dims`. */
export interface Block {
  readonly data: TensorData;
  readonly dims: readonly number[];
  readonly offset: number;
}

/** Copies what two blocks of the same rank have in common: pads into a larger one, trims into a smaller one. */
export function copyBlock(from: Block, to: Block): void {
  const isContiguous = from.dims.slice(1).every((size, axis) => size === to.dims[axis + 1]);
  const size = Math.min(from.dims[0] ?? 1, to.dims[0] ?? 1);
  const fromInner = elementCount(from.dims.slice(1));
  const toInner = elementCount(to.dims.slice(1));
  if (isContiguous) {
    copyRange(from, to, size * fromInner);
    return;
  }
  for (let index = 0; index < size; index++) {
    copyBlock(
      { data: from.data, dims: from.dims.slice(1), offset: from.offset + index * fromInner },
      { data: to.data, dims: to.dims.slice(1), offset: to.offset + index * toInner },
    );
  }
}

// Both sides have the same element type, checked before; the type system cannot say that of a union.
function copyRange(from: Block, to: Block, count: number): void {
  const source = from.data as Float32Array;
  (to.data as Float32Array).set(source.subarray(from.offset, from.offset + count), to.offset);
}
