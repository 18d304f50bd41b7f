import { describe, expect, it } from 'vitest';
import { chooseThreshold, matchNearest, measureThreshold } from './nearest-neighbour.ts';

const of = (label: string, ...values: number[]) => ({ vector: Float32Array.from(values), label });
const matches = [
  { similarity: 0.7, isSame: false },
  { similarity: 0.9, isSame: true },
  { similarity: 0.6, isSame: true },
  { similarity: 0.8, isSame: true },
];

describe('nearest neighbours', () => {
  it('finds the nearest and compares labels', () => {
    const known = [of('a', 1, 0), of('b', 0, 1)];
    const found = matchNearest([of('a', 0.8, 0.6), of('a', 0.6, 0.8)], known);
    expect(found).toEqual([
      { similarity: expect.closeTo(0.8), isSame: true },
      { similarity: expect.closeTo(0.8), isSame: false },
    ]);
  });

  it('chooses the lowest threshold with enough precision, and measures it', () => {
    expect(chooseThreshold(matches, 0.95)).toBe(0.8);
    expect(chooseThreshold(matches, 0.75)).toBe(0.6);
    expect(measureThreshold(matches, 0.8)).toEqual({ hitRate: 0.5, precision: 1 });
    expect(measureThreshold(matches, 0.7)).toEqual({ hitRate: 0.75, precision: 2 / 3 });
  });

  it('takes nothing for the same when no threshold is precise enough', () => {
    const threshold = chooseThreshold([{ similarity: 1, isSame: false }], 0.95);
    expect(measureThreshold([{ similarity: 1, isSame: false }], threshold)).toEqual({ hitRate: 0, precision: 1 });
  });
});
