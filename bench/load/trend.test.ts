import { expect, test } from 'vitest';
import { createRandom } from '../../src/seed/random.ts';
import { certainGrowth, trendOf } from './trend.ts';

const seconds = Array.from({ length: 240 }, (_, index) => index * 15);

test('a straight line has its slope, with certainty', () => {
  const { perHour, uncertaintyPerHour } = trendOf(seconds.map((second) => [second, 100 + second / 360]));
  expect(perHour).toBeCloseTo(10, 6);
  expect(uncertaintyPerHour).toBeLessThan(1e-6);
});

/** Each is near the one before, as memory is. */
function wander(seed: string): () => number {
  const random = createRandom(seed);
  let value = 0;
  return () => {
    value = 0.9 * value + random.gauss();
    return value;
  };
}

test('of a hundred memories that wander without growing, a few at most look as if they grew', () => {
  const grown = Array.from({ length: 100 }, (_, run) => {
    const next = wander(`run ${run}`);
    return certainGrowth(trendOf(seconds.map((second) => [second, 200 + next()])), 1);
  });
  expect(grown.filter((mib) => mib > 0).length).toBeLessThan(10);
});

test('a leak of 20 MiB an hour is found in one that wanders', () => {
  const next = wander('leak');
  const points = seconds.map((second) => [second, 200 + next() + second / 180] as const);
  expect(certainGrowth(trendOf(points), 1)).toBeGreaterThan(5);
});

test('too few points say nothing', () => {
  const trend = trendOf([
    [0, 1],
    [1, 2],
  ]);
  expect(trend.perHour).toBeNaN();
});
