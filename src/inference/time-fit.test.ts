import { expect, test } from 'vitest';
import { TimeFit } from './time-fit.ts';

function fitOf(sizes: readonly number[], msOf: (elements: number, at: number) => number): TimeFit {
  const fit = new TimeFit();
  for (const [at, elements] of sizes.entries()) fit.add(elements, msOf(elements, at));
  return fit;
}
const mixed = Array.from({ length: 60 }, (_, at) => 1 + ((at * 37) % 500));

test('finds both costs, and the largest batch for an objective', () => {
  const fit = fitOf(mixed, (elements) => 0.05 * elements + 2);
  expect(fit.perElementMs).toBeCloseTo(0.05, 6);
  expect(fit.perBatchMs).toBeCloseTo(2, 4);
  expect(fit.estimateMs(1000, 4)).toBeCloseTo(58, 2);
  expect(fit.elementsWithin(20)).toBeCloseTo(360, 0);
});

test('knows no bound before the first batch, and is not misled by costs below zero', () => {
  expect(new TimeFit().elementsWithin(20)).toBe(Number.POSITIVE_INFINITY);
  const fit = fitOf(mixed, (elements) => Math.max(0.01, 0.05 * elements - 3));
  expect(fit.perBatchMs).toBeGreaterThanOrEqual(0);
  expect(fit.perElementMs).toBeGreaterThan(0);
});

test('with batches of one size allows one twice as large, so that it can learn', () => {
  const fit = fitOf(new Array(30).fill(10), () => 50);
  expect(fit.elementsWithin(20)).toBeCloseTo(20, 6);
});

test('one batch that was held up hardly counts, a slower machine does', () => {
  const held = fitOf(mixed, (elements, at) => (at === 59 ? 5000 : 0.01 * elements));
  expect(held.estimateMs(100)).toBeLessThan(3);
  const slower = fitOf([...mixed, ...mixed], (elements, at) => (at < 60 ? 0.01 : 0.1) * elements);
  expect(slower.estimateMs(100)).toBeGreaterThan(8);
});
