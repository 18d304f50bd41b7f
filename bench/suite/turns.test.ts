import { expect, test } from 'vitest';
import type { LoadFigures } from './closed-loop.ts';
import { LatencyRecord } from './latency.ts';
import { cpuRatio, figuresOf, measureInTurns, p95Ratio, rateRatio, type Side } from './turns.ts';

const side = (name: string): Side => ({
  name,
  target: { pid: 0, url: '', method: 'GET', headers: {}, isExpected: () => true },
});

/** Each value is one round's, of CPU; the rate is its inverse, and all latencies are as many milliseconds. */
function figures(cpuMicroseconds: number | null): LoadFigures {
  const latency = new LatencyRecord();
  latency.record(cpuMicroseconds ?? 1);
  return { requests: 1, shed: 0, requestsPerSecond: 1_000 / (cpuMicroseconds ?? 1), cpuMicroseconds, latency };
}

test('the sides take turns in each round', async () => {
  const loaded: string[] = [];
  const turns = await measureInTurns([side('ours'), side('limit')], 3, async ({ name }) => {
    loaded.push(name);
    return figures(loaded.length);
  });
  expect(loaded).toEqual(['ours', 'limit', 'ours', 'limit', 'ours', 'limit']);
  expect(turns.get('limit')!.map(({ cpuMicroseconds }) => cpuMicroseconds)).toEqual([2, 4, 6]);
});

test('a ratio is the median of the ratios of the rounds, not the ratio of medians', () => {
  const turns = new Map([
    ['ours', [figures(10), figures(40), figures(90)]],
    ['limit', [figures(10), figures(10), figures(30)]],
  ]);
  expect(cpuRatio(turns, 'ours', 'limit')).toEqual({
    name: 'CPU against limit',
    value: 3,
    rounds: [1, 4, 3],
    budget: null,
  });
  expect(rateRatio(turns, 'ours', 'limit').value).toBeCloseTo(1 / 3);
  expect(p95Ratio(turns, 'ours', 'limit').value).toBeCloseTo(3, 2);
});

test('what cannot be known has no ratio', () => {
  const turns = new Map([
    ['ours', [figures(null)]],
    ['limit', [figures(1)]],
  ]);
  expect(cpuRatio(turns, 'ours', 'limit')).toBe(null);
  expect(figuresOf(turns.get('ours')!).cpuMicroseconds).toBe(null);
});

test('figures are medians of the rounds, latencies those of all requests', () => {
  const { cpuMicroseconds, latency } = figuresOf([figures(10), figures(500), figures(20)]);
  expect(cpuMicroseconds).toBe(20);
  expect(latency.maxMs).toBeCloseTo(500, 0);
  expect(latency.p50Ms).toBeCloseTo(20, 1);
});
