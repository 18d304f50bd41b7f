/** Whether two rows are the same input. A hash says so at once where they are not, and their bytes where they may be. */
import type { Row, TensorData } from './engine.ts';
import type { Manifest } from './manifest.ts';

// Longer rows are rarely asked for twice within a few milliseconds.
const maxBytes = 1_024;
// 2 to the 32nd by the golden ratio, made odd: spreads neighbouring numbers.
const spread = 0x9e3779b1;

/**
 * A 32-bit number that equal rows share and others hardly ever do; null for a row that is too long to be worth it. Costs
 * 60 ns for 64 elements, a quarter of a string of their bytes as a key.
 */
export function hashRow({ inputs }: Manifest, row: Row): number | null {
  let bytes = 0;
  let hash = 0;
  for (const { name } of inputs) {
    const { data } = row[name]!;
    bytes += data.byteLength;
    if (bytes > maxBytes) return null;
    hash = hashData(hash ^ data.length, data);
  }
  return hash;
}

/** Equal dims and equal bits, so 0 and -0 differ. */
export function isEqualRow({ inputs }: Manifest, one: Row, other: Row): boolean {
  return inputs.every(({ name }) => {
    const [a, b] = [one[name]!, other[name]!];
    if (a.dims.length !== b.dims.length || a.dims.some((size, axis) => size !== b.dims[axis])) return false;
    return bytesOf(a.data).equals(bytesOf(b.data));
  });
}

function hashData(seed: number, data: TensorData): number {
  let hash = seed;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (const value of data) hash = Math.imul(hash ^ Number(BigInt.asIntN(32, value)), spread);
    return hash;
  }
  // The product also spreads numbers between 0 and 1, which are all 0 as integers.
  for (let at = 0; at < data.length; at++) hash = Math.imul(hash ^ (data[at]! * spread), spread);
  return hash;
}

function bytesOf({ buffer, byteOffset, byteLength }: TensorData): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
