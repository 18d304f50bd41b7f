import { expect, test } from 'vitest';
import type { BenchResult, Figures, ScenarioResult } from '../suite/results.ts';
import { matchRatios } from './compare-kept.ts';
import { judgeFigure } from './compared-figure.ts';

const latency = { p50Ms: 1, p95Ms: 2, p99Ms: 3, maxMs: 4, distributionMs: [] };
const ours: Figures = { requestsPerSecond: 1_000, cpuMicroseconds: 900, latency, shed: 0 };
const options = { falseAlarms: 0.01, ignored: 0.1 };

test('ratios are matched by scenario, load and name; others than of CPU and requests are left out', () => {
  const before = result([scenario('page', 32), scenario('page', 1), scenario('gone', 32), scenario('page', 64, 100)]);
  const after = result([scenario('page', 32), scenario('new', 32), scenario('page', 64, 100)]);
  expect(matchRatios(before, after).map(({ name, isMoreWorse }) => [name, isMoreWorse])).toEqual([
    ['page, 32 connections: CPU against flat statements', true],
    ['page, 32 connections: requests a second against flat statements', false],
  ]);
});

test('20 % more CPU than in a kept result is worse, 5 % and less are not', () => {
  const worse = (factor: number) =>
    matchRatios(result([scenario('page', 32)]), result([scenario('page', 32, null, factor)])).map(
      (figure) => judgeFigure(figure, false, options).isWorse,
    );
  expect(worse(1.2)).toEqual([true, true]);
  expect(worse(1.05)).toEqual([false, false]);
  expect(worse(0.8)).toEqual([false, false]);
});

function scenario(name: string, connections: number, rate: number | null = null, factor = 1): ScenarioResult {
  const rounds = (value: number) => [0.99, 1, 1.01, 1.005, 0.995].map((noise) => value * noise);
  const ratio = (ratioName: string, value: number) => ({ name: ratioName, value, rounds: rounds(value), budget: null });
  return {
    name,
    load: { connections, rate, seconds: 1 },
    ours,
    limits: [],
    ratios: [
      ratio('CPU against flat statements', 1.5 * factor),
      ratio('requests a second against flat statements', 0.6 / factor),
      ratio('p95 against flat statements', 2),
    ],
    series: [],
  };
}

function result(scenarios: ScenarioResult[]): BenchResult {
  const machine = { cpu: 'one', cores: 2, memoryGib: 8, node: 'v26.10.0', os: 'Linux', isPinned: true };
  return { formatVersion: 1, startedAt: '2026-01-01T00:00:00Z', commit: null, machine, scenarios };
}
