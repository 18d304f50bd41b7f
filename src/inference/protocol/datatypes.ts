/** Datatypes of the Open Inference Protocol, and the typed arrays that hold their elements. */
import type { TensorData } from '../engine.ts';
import type { ElementType } from '../manifest.ts';
import { ProtocolError, shown } from './protocol-error.ts';

interface Datatype {
  readonly type: ElementType;
  readonly array: {
    readonly BYTES_PER_ELEMENT: number;
    new (length: number): TensorData;
    new (buffer: ArrayBufferLike, byteOffset: number, length: number): TensorData;
  };
}

const datatypes = new Map<string, Datatype>([
  ['BOOL', { type: 'bool', array: Uint8Array }],
  ['UINT8', { type: 'uint8', array: Uint8Array }],
  ['UINT16', { type: 'uint16', array: Uint16Array }],
  ['UINT32', { type: 'uint32', array: Uint32Array }],
  ['UINT64', { type: 'uint64', array: BigUint64Array }],
  ['INT8', { type: 'int8', array: Int8Array }],
  ['INT16', { type: 'int16', array: Int16Array }],
  ['INT32', { type: 'int32', array: Int32Array }],
  ['INT64', { type: 'int64', array: BigInt64Array }],
  ['FP32', { type: 'float32', array: Float32Array }],
  ['FP64', { type: 'float64', array: Float64Array }],
]);
const namesByType = new Map([...datatypes].map(([name, { type }]) => [type, name]));

/** The protocol's name of an element type. */
export function datatypeOf(type: ElementType): string {
  return namesByType.get(type)!;
}

/** The element type and array of a datatype's name; `where` is only used for the error. Throws a ProtocolError. */
export function findDatatype(name: unknown, where: string): Datatype {
  const found = typeof name === 'string' ? datatypes.get(name) : undefined;
  if (found !== undefined) return found;
  throw new ProtocolError(`${where}: expected a datatype of ${[...datatypes.keys()].join(', ')}, got ${shown(name)}`);
}
