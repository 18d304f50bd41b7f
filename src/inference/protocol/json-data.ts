/** Tensor data as JSON arrays, flat or nested, in both directions. */
import type { TensorData } from '../engine.ts';
import type { ElementType } from '../manifest.ts';
import { type BatchTensor, elementCount, newTensorData } from '../tensors.ts';
import { ProtocolError, shown } from './protocol-error.ts';

/** An integer that JSON.parse has rounded: the document may be parsed again by parseExactJson. */
export class InexactInteger extends ProtocolError {}

/** Integers beyond 2^53 as bigint. Much slower than JSON.parse, so only for documents that have such. */
export function parseExactJson(text: string): unknown {
  // The third argument is not in TypeScript's declarations yet.
  const parse: (
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ) => unknown = JSON.parse as never;
  return parse(text, (_, value, { source }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value;
    return /^-?\d{1,20}$/.test(source) ? BigInt(source) : value;
  });
}

/**
 * The elements of `data`, flat or nested as `shape` says. `where` names the tensor in errors.
 * Throws a ProtocolError.
 */
export function readJsonData(
  data: unknown,
  { type, shape, where }: { type: ElementType; shape: readonly number[]; where: string },
): TensorData {
  const count = elementCount(shape);
  const target = newTensorData(type, count);
  const elements = target as unknown as Record<number, number | bigint>;
  const convert = converters[type];
  let filled = 0;
  const read = (value: unknown, sizes: readonly number[]) => {
    const [size, ...inner] = sizes;
    if (!Array.isArray(value) || value.length !== size) {
      throw new ProtocolError(`${where}: expected data of shape [${shape.join(', ')}], got ${shown(value)}`);
    }
    for (const item of value) {
      if (inner.length > 0) read(item, inner);
      else {
        const element = convert(item);
        if (element === null) throw new ProtocolError(`${where}: expected elements of ${type}, got ${shown(item)}`);
        elements[filled++] = element;
      }
    }
  };
  const isFlat = Array.isArray(data) && data.length === count && !Array.isArray(data[0]);
  read(data, isFlat || shape.length === 0 ? [count] : shape);
  return target;
}

/** A flat JSON array as text. Throws a ProtocolError for NaN and infinities, which JSON does not have. */
export function writeJsonData({ name, type, data }: BatchTensor): string {
  const texts: string[] = new Array(data.length);
  for (let index = 0; index < data.length; index++) {
    const value = data[index]!;
    if (type === 'bool') texts[index] = value === 0 ? 'false' : 'true';
    else if (typeof value === 'bigint' || Number.isFinite(value))
      texts[index] = Object.is(value, -0) ? '-0' : `${value}`;
    else throw new ProtocolError(`${shown(name)}: JSON has no ${value}: use binary data`);
  }
  return `[${texts.join(',')}]`;
}

type Converter = (value: unknown) => number | bigint | null;

function integers(min: number, max: number): Converter {
  return (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max ? (value as number) : null;
}

function longIntegers(min: bigint, max: bigint): Converter {
  return (value) => {
    if (typeof value === 'number') {
      if (!Number.isInteger(value)) return null;
      if (!Number.isSafeInteger(value)) throw new InexactInteger(`expected 64-bit integers, got ${value}`);
    } else if (typeof value !== 'bigint') return null;
    const integer = BigInt(value);
    return integer >= min && integer <= max ? integer : null;
  };
}

const double: Converter = (value) => {
  if (typeof value === 'bigint') return Number(value);
  return Number.isFinite(value) ? (value as number) : null;
};

const converters: Readonly<Record<ElementType, Converter>> = {
  bool: (value) => (value === true || value === 1 ? 1 : value === false || value === 0 ? 0 : null),
  uint8: integers(0, 2 ** 8 - 1),
  uint16: integers(0, 2 ** 16 - 1),
  uint32: integers(0, 2 ** 32 - 1),
  uint64: longIntegers(0n, 2n ** 64n - 1n),
  int8: integers(-(2 ** 7), 2 ** 7 - 1),
  int16: integers(-(2 ** 15), 2 ** 15 - 1),
  int32: integers(-(2 ** 31), 2 ** 31 - 1),
  int64: longIntegers(-(2n ** 63n), 2n ** 63n - 1n),
  float32: (value) => {
    const number = double(value);
    return number !== null && Number.isFinite(Math.fround(number as number)) ? number : null;
  },
  float64: double,
};
