import { expect, test } from 'vitest';
import { createRandom } from '../../src/seed/random.ts';
import { certainGrowth, trendOf } from './trend.ts';

const seconds = Array.from({ length: 240 }, (_, index) => index * 15);

test('a straight line has its slope, with certainty', () => {
  const { perHour, uncertaintyPerHour } = trendOf(seconds.map((second) => [second, 100 + second / 360]));
  expect(perHour).toBeCloseTo(10, 6);
  expect(uncertaintyPerHour).toBeLessThan(1e-6);
});

test('of a hundred saw-teeth that do not grow, a few at most look as if they did', () => {
  const grown = Array.from({ length: 100 }, (_, run) => {
    const random = createRandom(`saw ${run}`);
    let heap = 0;
    const points = seconds.map((second) => {
      heap = heap > 40 ? 0 : heap + random.next() * 4;
      return [second, 200 + heap + random.gauss()] as const;
    });
    return certainGrowth(trendOf(points), 1);
  });
  expect(grown.filter((mib) => mib > 0).length).toBeLessThan(10);
});

test('a leak of 20 MiB an hour is found under the same saw-teeth', () => {
  const random = createRandom('leak');
  let heap = 0;
  const points = seconds.map((second) => {
    heap = heap > 40 ? 0 : heap + random.next() * 4;
    return [second, 200 + heap + second / 180] as const;
  });
  expect(certainGrowth(trendOf(points), 1)).toBeGreaterThan(5);
});

test('too few points say nothing', () => {
  const trend = trendOf([
    [0, 1],
    [1, 2],
  ]);
  expect(trend.perHour).toBeNaN();
});
