import { describe, expect, it } from 'vitest';
import { createRandom } from './random.ts';

describe('createRandom', () => {
  it('gives the same numbers for the same seed', () => {
    const [first, second, other] = [createRandom(7), createRandom(7), createRandom(8)];
    const draw = (random: ReturnType<typeof createRandom>) => [random.next(), random.gauss(), random.integer(1000)];
    expect(draw(first)).toEqual(draw(second));
    expect(draw(first)).not.toEqual(draw(other));
  });

  it('draws uniform and normal numbers', () => {
    const random = createRandom(1);
    const uniform = Array.from({ length: 20_000 }, () => random.next());
    const normal = Array.from({ length: 20_000 }, () => random.gauss());
    const meanOf = (values: number[]) => values.reduce((sum, value) => sum + value / values.length, 0);
    expect(meanOf(uniform)).toBeCloseTo(0.5, 1);
    expect(uniform.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(meanOf(normal)).toBeCloseTo(0, 1);
    expect(meanOf(normal.map((value) => value ** 2))).toBeCloseTo(1, 1);
  });

  it('shuffles without losing values', () => {
    const values = Int32Array.from({ length: 100 }, (_, i) => i);
    createRandom(3).shuffle(values);
    expect(values).not.toEqual(values.slice().sort());
    expect(values.slice().sort()).toEqual(Int32Array.from({ length: 100 }, (_, i) => i));
  });
});
