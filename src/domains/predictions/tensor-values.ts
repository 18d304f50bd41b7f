/** Elements of tensors as clients write and read them, to typed arrays and back, without loss. Pure. */
import type { TensorData } from '../../inference/engine.ts';
import type { ElementType } from '../../inference/manifest.ts';
import { newTensorData } from '../../inference/tensors.ts';

/** bigint: only of a literal that no double can hold. */
export type TensorValue = number | bigint | boolean | string;

export interface ValueIssue {
  index: number;
  message: string;
}

const maxIssues = 20;

/** The elements in an array of the type, or what is wrong with the first ones that do not fit it. */
export function readValues(type: ElementType, values: readonly TensorValue[]): TensorData | ValueIssue[] {
  const data = newTensorData(type, values.length);
  const issues: ValueIssue[] = [];
  const refuse = (index: number, expected: string) =>
    issues.push({ index, message: `expected ${expected}, got ${shown(values[index]!)}` });
  if (type === 'bool') readBooleans(data as Uint8Array, values, refuse);
  else if (type === 'int64' || type === 'uint64') readBigIntegers(type, data as BigInt64Array, values, refuse);
  else if (type === 'float32' || type === 'float64') readFloats(type, data as Float32Array, values, refuse);
  else readIntegers(type, data as Int32Array, values, refuse);
  return issues.length > 0 ? issues : data;
}

/** An element as JSON can hold it: what is no finite number, or an integer beyond 2^53, as text. */
export function showValue(value: TensorValue): number | boolean | string {
  if (typeof value === 'bigint') return isSafe(value) ? Number(value) : String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Answers how many issues there are by then. */
type Refuse = (index: number, expected: string) => number;

const nonFinite: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

function readFloats(type: string, data: Float32Array, values: readonly TensorValue[], refuse: Refuse): void {
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (typeof value === 'string' && Object.hasOwn(nonFinite, value)) {
      data[index] = nonFinite[value]!;
      continue;
    }
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number === 'number') data[index] = number;
    // What is too large for the type became infinite.
    if (typeof number === 'number' && Number.isFinite(data[index])) continue;
    if (refuse(index, `a number within ${type.toUpperCase()}, or "NaN", "Infinity" or "-Infinity"`) >= maxIssues)
      return;
  }
}

const ranges = {
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
} as const;

function readIntegers(
  type: keyof typeof ranges,
  data: Int32Array,
  values: readonly TensorValue[],
  refuse: Refuse,
): void {
  const [least, most] = ranges[type];
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (typeof value === 'number' && value >= least && value <= most && Number.isInteger(value)) data[index] = value;
    else if (refuse(index, `a whole number from ${least} to ${most}`) >= maxIssues) return;
  }
}

const bigRanges = { int64: [-(2n ** 63n), 2n ** 63n - 1n], uint64: [0n, 2n ** 64n - 1n] } as const;

function readBigIntegers(
  type: keyof typeof bigRanges,
  data: BigInt64Array,
  values: readonly TensorValue[],
  refuse: Refuse,
): void {
  const [least, most] = bigRanges[type];
  for (let index = 0; index < values.length; index++) {
    const value = toBigInt(values[index]!);
    if (value !== null && value >= least && value <= most) data[index] = value;
    else if (refuse(index, `a whole number from ${least} to ${most}, as text beyond 2^53`) >= maxIssues) return;
  }
}

function readBooleans(data: Uint8Array, values: readonly TensorValue[], refuse: Refuse): void {
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (typeof value === 'boolean') data[index] = value ? 1 : 0;
    else if (refuse(index, 'true or false') >= maxIssues) return;
  }
}

/** null: not a whole number, or one that was rounded on its way here. */
function toBigInt(value: TensorValue): bigint | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null;
  if (typeof value === 'string') return /^-?\d{1,20}$/.test(value) ? BigInt(value) : null;
  return typeof value === 'bigint' ? value : null;
}

function isSafe(value: bigint): boolean {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
}

function shown(value: TensorValue): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}
