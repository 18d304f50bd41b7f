import { expect, test } from 'vitest';
import { fitLine } from './growth-fit.ts';

test('a line is found with its fixed part', () => {
  const { fixed, perRow, r2, ratios } = fitLine([1, 10, 100].map((rows) => [rows, 50 + 3 * rows]));
  expect(fixed).toBeCloseTo(50, 6);
  expect(perRow).toBeCloseTo(3, 6);
  expect(r2).toBeCloseTo(1, 6);
  for (const ratio of ratios) expect(ratio).toBeCloseTo(1, 6);
});

test('a cost that grows with the square leaves the line', () => {
  const { ratios } = fitLine([1, 3, 10, 30, 100].map((rows) => [rows, 50 + 0.3 * rows ** 2]));
  expect(Math.max(...ratios.map((ratio) => Math.max(ratio, 1 / ratio)))).toBeGreaterThan(1.2);
});

test('errors count by their share of what was measured', () => {
  const points = [
    [1, 53],
    [10, 90],
    [100, 340],
  ] as const;
  const { fixed, perRow } = fitLine(points);
  const shares = points.map(([rows, cost]) => (cost - fixed - perRow * rows) / cost ** 2);
  expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(0, 9);
});
