import { expect, test } from 'vitest';
import { EstimateMargin } from './estimate-margin.ts';

function factorAfter(ratios: readonly number[], estimatedMs = 100): number {
  const margin = new EstimateMargin();
  for (const ratio of ratios) margin.add(estimatedMs, estimatedMs * ratio);
  return margin.factor;
}

test('is what calls took times their estimates, and more where that varies', () => {
  expect(new EstimateMargin().factor).toBe(1);
  expect(factorAfter(new Array(100).fill(1.5))).toBeCloseTo(1.5, 6);
  const varied = Array.from({ length: 100 }, (_, at) => (at % 2 === 0 ? 0.9 : 1.3));
  expect(factorAfter(varied)).toBeGreaterThan(1.3);
  expect(factorAfter(varied)).toBeLessThan(1.9);
});

test('is never below 1, and knows nothing of calls that are too short to be estimated', () => {
  expect(factorAfter(new Array(100).fill(0.2))).toBe(1);
  expect(factorAfter(new Array(100).fill(3), 1)).toBe(1);
});

test('forgets a machine that stood still', () => {
  const stalled = [...new Array(50).fill(1), 100];
  expect(factorAfter(stalled)).toBeLessThan(4);
  expect(factorAfter([...stalled, ...new Array(200).fill(1)])).toBeLessThan(1.3);
});
