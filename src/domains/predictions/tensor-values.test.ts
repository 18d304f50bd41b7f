import { describe, expect, test } from 'vitest';
import type { ElementType } from '../../inference/manifest.ts';
import { readValues, showValue, type TensorValue } from './tensor-values.ts';

/** As a client gets values that it sent: through JSON both ways. */
function thereAndBack(type: ElementType, values: readonly TensorValue[]): unknown {
  const data = readValues(type, JSON.parse(JSON.stringify(values)));
  if (Array.isArray(data)) throw new Error(JSON.stringify(data));
  return JSON.parse(JSON.stringify(Array.from(data as Float64Array, showValue)));
}

describe('values come back as they were', () => {
  test.each<[ElementType, TensorValue[]]>([
    [
      'float32',
      [0, 1.5, Math.fround(0.1), 3.4028234663852886e38, 1.401298464324817e-45, 'NaN', 'Infinity', '-Infinity'],
    ],
    ['float64', [0.1, Number.MAX_VALUE, Number.MIN_VALUE, 'NaN']],
    ['int8', [-128, 127]],
    ['uint8', [0, 255]],
    ['int16', [-32_768, 32_767]],
    ['uint16', [0, 65_535]],
    ['int32', [-2_147_483_648, 2_147_483_647]],
    ['uint32', [0, 4_294_967_295]],
    ['int64', [0, -1, 2 ** 53 - 1, '9007199254740993', '9223372036854775807', '-9223372036854775808']],
    ['uint64', [0, '18446744073709551615']],
  ])('%s', (type, values) => {
    expect(thereAndBack(type, values)).toEqual(values);
  });

  test('floats of random bits, to the last one', () => {
    const bits = Uint32Array.from({ length: 1_000 }, (_, index) => (index * 2_654_435_761) >>> 0);
    const floats = [...new Float32Array(bits.buffer)].filter(Number.isFinite);
    expect(floats.length).toBeGreaterThan(900);
    expect([...(readValues('float32', thereAndBack('float32', floats) as number[]) as Float32Array)]).toEqual(floats);
  });
});

describe('a value that does not fit', () => {
  test.each<[ElementType, TensorValue]>([
    ['float32', 3.5e38],
    ['float32', 'nan'],
    ['float32', '1.5'],
    ['float32', true],
    ['float32', '__proto__'],
    ['float64', Number.POSITIVE_INFINITY],
    ['int8', 128],
    ['uint8', -1],
    ['uint8', 1.5],
    ['int32', 2_147_483_648],
    ['int32', '5'],
    ['int32', 5n],
    ['int64', 2 ** 53],
    ['int64', '9223372036854775808'],
    ['int64', '1e3'],
    ['int64', ''],
    ['uint64', '-1'],
    ['bool', 1],
    ['bool', 'true'],
  ])('of %s is named: %s', (type, value) => {
    const good: TensorValue = type === 'bool' ? true : 0;
    const issues = readValues(type, [good, value, good]);
    expect(issues).toEqual([{ index: 1, message: expect.stringMatching(/^expected .*, got ./) }]);
  });

  test('is named up to the twentieth, and shortened', () => {
    const issues = readValues('int32', new Array(1_000).fill('x'.repeat(1_000))) as { message: string }[];
    expect(issues).toHaveLength(20);
    expect(issues[0]!.message.length).toBeLessThan(120);
  });
});

test('a literal that no double holds is read whole', () => {
  expect(readValues('int64', [9_007_199_254_740_993n])).toEqual(BigInt64Array.of(9_007_199_254_740_993n));
  expect(readValues('float32', [10n ** 20n])).toEqual(Float32Array.of(1e20));
});
