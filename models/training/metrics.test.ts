import { describe, expect, it } from 'vitest';
import { bestThreshold, f1Score, mean, pinballLoss, quantileInPlace } from './metrics.ts';

describe('f1Score', () => {
  it('weighs precision and recall', () => {
    expect(f1Score([0.9, 0.8, 0.2, 0.1], [1, 0, 1, 0], 0.5)).toBe(0.5);
    expect(f1Score([0.9, 0.1], [1, 0], 0.5)).toBe(1);
  });

  it('is 0 when nothing is predicted or true', () => {
    expect(f1Score([0.1, 0.2], [0, 0], 0.5)).toBe(0);
    expect(f1Score([], [], 0.5)).toBe(0);
  });
});

describe('bestThreshold', () => {
  it('separates the classes', () => {
    const { threshold, f1 } = bestThreshold([0.05, 0.15, 0.35, 0.6], [0, 0, 1, 1]);
    expect(f1).toBe(1);
    expect(threshold).toBeGreaterThanOrEqual(0.15);
    expect(threshold).toBeLessThan(0.35);
  });
});

describe('pinballLoss', () => {
  it('costs under-forecasts the level and over-forecasts the rest', () => {
    expect(pinballLoss(10, 8, 0.9)).toBeCloseTo(1.8);
    expect(pinballLoss(8, 10, 0.9)).toBeCloseTo(0.2);
    expect(pinballLoss(5, 5, 0.1)).toBe(0);
  });
});

describe('quantileInPlace', () => {
  it('interpolates between sorted values', () => {
    expect(quantileInPlace(Float64Array.of(4, 1, 3, 2), 0.5)).toBe(2.5);
    expect(quantileInPlace(Float64Array.of(4, 1, 3, 2), 0)).toBe(1);
    expect(quantileInPlace(Float64Array.of(7), 0.9)).toBe(7);
  });
});

describe('mean', () => {
  it('is NaN for no values', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(mean([])).toBeNaN();
  });
});
