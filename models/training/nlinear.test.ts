import { describe, expect, it } from 'vitest';
import { factorCholesky, solveCholesky } from './cholesky.ts';
import { evaluateNLinear, fitNLinear, measureMoments, squaredErrorOf } from './nlinear.ts';
import { createRandom } from './random.ts';

describe('solveCholesky', () => {
  it('solves a known system', () => {
    const a = Float64Array.of(4, 2, 0, 2, 5, 3, 0, 3, 6);
    factorCholesky(a, 3);
    const x = solveCholesky(a, 3, Float64Array.of(8, 2, 21, 8, 24, 9), 2);
    for (const [i, expected] of [1, 0, 2, 1, 3, 1].entries()) expect(x[i]).toBeCloseTo(expected, 10);
  });

  it('rejects a matrix that is not positive definite', () => {
    expect(() => factorCholesky(Float64Array.of(1, 2, 2, 1), 2)).toThrow('positive definite');
  });
});

describe('NLinear', () => {
  const [lookback, horizon] = [24, 6];
  const random = createRandom(5);
  const series = Array.from({ length: 2 }, (_, k) => {
    return Float64Array.from({ length: 600 }, (_, i) => Math.sin((i / 12) * Math.PI) * (k + 1) + 0.1 * random.gauss());
  });

  it('measures moments equal to sums over the windows', () => {
    const values = series[0]!.subarray(0, 60);
    const { gram, cross, windows } = measureMoments([values], 0, 60, lookback, horizon);
    let [square, product] = [0, 0];
    for (let s = 0; s < windows; s++) {
      const last = values[s + lookback - 1]!;
      square += (values[s + 3]! - last) ** 2;
      product += (values[s + 3]! - last) * (values[s + lookback + 2]! - last);
    }
    expect(windows).toBe(31);
    expect(gram[3 * (lookback + 1) + 3]).toBeCloseTo(square, 8);
    expect(cross[3 * horizon + 2]).toBeCloseTo(product, 8);
  });

  it('learns a noisy daily curve down to its noise', () => {
    const weights = fitNLinear(measureMoments(series, 0, 400, lookback, horizon), 1);
    const test = evaluateNLinear(weights, series, 400, 600, lookback, horizon);
    expect(test.mse).toBeLessThan(0.05);
    expect(test.mae).toBeLessThan(0.2);
  });

  it('gives the same squared error from moments as from the windows', () => {
    const weights = fitNLinear(measureMoments(series, 0, 400, lookback, horizon), 1);
    const moments = measureMoments(series, 400, 600, lookback, horizon);
    const direct = evaluateNLinear(weights, series, 400, 600, lookback, horizon);
    expect(squaredErrorOf(weights, moments)).toBeCloseTo(direct.mse, 5);
  });
});
