import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { budgets, checkBudgets, reportBudgets } from './budgets.ts';

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

test('no two budgets have the same id', () => {
  const ids = budgets.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)]);
});

test('each is asked for by some bench', () => {
  const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && path !== 'budgets.ts')
    .map((path) => readFileSync(join(import.meta.dirname, path), 'utf8'));
  const unasked = budgets.filter(({ id }) => !sources.some((source) => source.includes(`'${id}'`)));
  expect(unasked.map(({ id }) => id)).toEqual([]);
});

test('the bound itself meets a budget, what lies beyond it does not, on its own side', () => {
  const verdicts = (id: string, values: number[]) =>
    checkBudgets(values.map((value) => ({ id, value }))).map(({ isMet }) => isMet);
  expect(verdicts('cpu-deep-page', [1.79, 1.8, 1.81])).toEqual([true, true, false]);
  expect(verdicts('cache-hit-ratio', [91.9, 92, 92.1])).toEqual([false, true, true]);
});

test('what was not measured meets no budget', () => {
  const checks = checkBudgets([
    { id: 'memory-steady', value: Number.NaN },
    { id: 'uncached-mix-rate', value: Number.NaN },
  ]);
  expect(checks.map(({ isMet }) => isMet)).toEqual([false, false]);
});

test('an unknown id is an error that names it and the known ones', () => {
  expect(() => checkBudgets([{ id: 'cpu-deep-pages', value: 1 }])).toThrow(
    /^no budget "cpu-deep-pages": expected one of cpu-features-page, .*cache-hit-ratio/,
  );
});

test('the table says what was missed, and only a miss fails the process', () => {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
  const met = { id: 'cpu-features-page', value: 1.584 };
  reportBudgets(checkBudgets([met]));
  expect(process.exitCode).toBeUndefined();
  reportBudgets(checkBudgets([met, { id: 'uncached-mix-rate', value: 812.3 }]));
  expect(process.exitCode).toBe(1);
  expect(lines.at(-2)).toMatch(/CPU against flat statements, 20 features +1\.584 times +at most 1\.65 +met$/);
  expect(lines.at(-1)).toMatch(/throughput of the uncached mix +812\.3 req\/s +at least 1,000 +MISSED$/);
});
