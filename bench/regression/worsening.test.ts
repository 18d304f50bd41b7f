import { expect, test } from 'vitest';
import { createRandom } from '../../src/seed/random.ts';
import { judgeFigure } from './compared-figure.ts';
import { studentQuantile, worseningOfPairs, worseningOfSamples } from './worsening.ts';

const options = { falseAlarms: 0.01, ignored: 0 };

test('quantiles are those of the tables', () => {
  expect(studentQuantile(0.975, 4)).toBeCloseTo(2.7764, 3);
  expect(studentQuantile(0.99, 1)).toBeCloseTo(31.8205, 2);
  expect(studentQuantile(0.999, 9)).toBeCloseTo(4.2968, 3);
  expect(studentQuantile(0.5, 3)).toBeCloseTo(0, 5);
});

test('of versions that do not differ, as many as said are called worse', () => {
  const { gauss } = createRandom('no change');
  const runs = 600;
  const noise = () => Array.from({ length: 5 }, () => 0.05 * gauss());
  let [ofPairs, ofSamples] = [0, 0];
  for (let run = 0; run < runs; run += 1) {
    if (worseningOfPairs(noise(), { falseAlarms: 0.05, ignored: 0 }).isWorse) ofPairs += 1;
    if (worseningOfSamples(noise(), noise(), { falseAlarms: 0.05, ignored: 0 }).isWorse) ofSamples += 1;
  }
  for (const alarms of [ofPairs, ofSamples]) {
    expect(alarms / runs).toBeGreaterThan(0.03);
    expect(alarms / runs).toBeLessThan(0.07);
  }
});

test('20 % more is seen through noise of 2 % of each measurement', () => {
  const { gauss } = createRandom('noise');
  const noisy = (value: number) => Array.from({ length: 6 }, () => value * Math.exp(0.02 * gauss()));
  for (let run = 0; run < 20; run += 1) {
    const cpu = { name: 'CPU', isMoreWorse: true, before: noisy(1.5), after: noisy(1.8) };
    expect(judgeFigure(cpu, true, { falseAlarms: 0.00125, ignored: 0.02 }).isWorse).toBe(true);
    expect(judgeFigure({ ...cpu, isMoreWorse: false }, true, options).isWorse).toBe(false);
  }
});

test('of samples that were not measured together the noise of both counts', () => {
  const [quiet, loud] = [
    [0, 0.01, -0.01, 0.005, -0.005],
    [0.1, 0.5, -0.3, 0.2, 0],
  ];
  expect(
    worseningOfSamples(
      quiet,
      quiet.map((value) => value + 0.1),
      options,
    ).isWorse,
  ).toBe(true);
  expect(worseningOfSamples(quiet, loud, options).isWorse).toBe(false);
  expect(
    worseningOfSamples(
      loud,
      quiet.map((value) => value + 0.2),
      options,
    ).isWorse,
  ).toBe(false);
});

test('a change below what is ignored, or known from one measurement only, is not called worse', () => {
  const small = [0.0101, 0.0099, 0.01, 0.0102, 0.0098];
  expect(worseningOfPairs(small, options).isWorse).toBe(true);
  expect(worseningOfPairs(small, { ...options, ignored: 0.02 }).isWorse).toBe(false);
  expect(worseningOfPairs([0.5], options)).toEqual({ mean: 0.5, least: Number.NEGATIVE_INFINITY, isWorse: false });
});
