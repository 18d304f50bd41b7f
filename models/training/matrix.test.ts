import { describe, expect, it } from 'vitest';
import { createAdamParameter, stepAdam } from './adam.ts';
import { multiplyAdd, transpose } from './matrix.ts';

describe('multiplyAdd', () => {
  it.each([
    [1, 1, 1],
    [4, 3, 2],
    [7, 5, 9],
    [8, 4, 6],
  ])('equals the plain sum for %d x %d times %d columns', (rows, inner, columns) => {
    const a = Float32Array.from({ length: rows * inner }, (_, i) => (i % 7) - 3);
    const b = Float32Array.from({ length: inner * columns }, (_, i) => (i % 5) - 2);
    const out = new Float32Array(rows * columns).fill(1);
    multiplyAdd(a, b, out, rows, inner, columns);
    const expected = Float32Array.from({ length: rows * columns }, (_, at) => {
      const [row, column] = [Math.floor(at / columns), at % columns];
      let sum = 1;
      for (let k = 0; k < inner; k++) sum += a[row * inner + k]! * b[k * columns + column]!;
      return sum;
    });
    expect(out).toEqual(expected);
  });
});

describe('transpose', () => {
  it('turns rows into columns', () => {
    const out = new Float32Array(6);
    transpose(Float32Array.of(1, 2, 3, 4, 5, 6), out, 2, 3);
    expect([...out]).toEqual([1, 4, 2, 5, 3, 6]);
  });
});

describe('stepAdam', () => {
  it('walks down a parabola to its lowest point', () => {
    const parameter = createAdamParameter(Float32Array.of(5));
    for (let step = 1; step <= 500; step++) {
      parameter.gradient[0] = 2 * (parameter.values[0]! - 2);
      stepAdam(parameter, step, 0.05, 0);
    }
    expect(parameter.values[0]).toBeCloseTo(2, 2);
    expect(parameter.gradient[0]).toBe(0);
  });
});
