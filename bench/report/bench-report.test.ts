import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkBudgets } from '../budgets.ts';
import type { BenchResult } from '../suite/results.ts';
import { writeReport } from './bench-report.ts';
import { createSampleResult } from './sample-result.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-report-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function write(result: BenchResult, checks = checkBudgets([])): Promise<string> {
  const file = join(folder, 'of', 'some-commit.html');
  await writeReport(result, file, checks);
  return await readFile(file, 'utf8');
}

/** What a reader sees of a page. */
function textOf(page: string): string {
  return page
    .replaceAll(/<(script|style).*?<\/\1>/gs, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ');
}

test('each scenario has a row and a section that the row leads to', async () => {
  const result = createSampleResult();
  const page = await write(result);
  for (const name of new Set(result.scenarios.map((scenario) => scenario.name)))
    expect(page).toContain(`<h2>${name}</h2>`);
  const links = [...page.matchAll(/href="#([^"]*)"/g)].map(([, anchor]) => anchor);
  const sections = [...page.matchAll(/<h3 id="([^"]*)"/g)].map(([, anchor]) => anchor);
  expect(links).toHaveLength(result.scenarios.length);
  expect(sections).toEqual(links);
  expect(textOf(page)).toContain('800 req/s over 64 connections, 30 s');
});

test('commit, time and machine stand on top', async () => {
  const text = textOf(await write(createSampleResult()));
  expect(text).toMatch(
    /commit 52937a9 started 2026-11-21 14:05 UTC machine AMD EPYC 9B14, 2 cores, 8 GiB node v26\.10\.0/,
  );
  expect(text).toContain('cores one for the server, another for load and database');
});

test('what is over its budget is said in words, beside the budget', async () => {
  const result = createSampleResult();
  const [met, missed] = result.scenarios.flatMap(({ ratios }) => ratios).filter(({ budget }) => budget !== null);
  Object.assign(met!, { value: 1.584 });
  Object.assign(missed!, { value: 1.731 });
  const checks = checkBudgets([{ id: 'cache-hit-ratio', value: 97.25 }]);
  const text = textOf(await write(result, checks));
  expect(text).toContain('18 measurements. 1 of 3 budgets missed.');
  expect(text).toMatch(/flat statements CPU 1\.58 ≤\s1\.65 met/);
  expect(text).toMatch(/flat statements CPU 1\.73 ≤\s1\.6 missed/);
  expect(text).toMatch(/cache hits of the read mix 97\.3 % ≥\s92 met/);
  Object.assign(missed!, { value: 1.6 });
  expect(textOf(await write(result, checks))).toContain('All of 3 budgets met.');
});

test('what could not be measured is a dash; what was shed is told', async () => {
  const result = createSampleResult();
  result.scenarios = [{ ...result.scenarios[0]!, limits: [], ratios: [], series: [] }];
  result.scenarios[0]!.ours = { ...result.scenarios[0]!.ours, cpuMicroseconds: null, shed: 3 };
  const page = await write({ ...result, commit: null });
  const text = textOf(page);
  expect(text).toContain('commit not known');
  expect(text).toMatch(/1 connection, 10 s 3 shed 847 – 1\.\d\d /);
  expect(page.match(/<figure/g)).toHaveLength(1);
});

test('names are text: none of them ends a script or begins an element', async () => {
  const hostile = `</script><script>alert(1)</script><img src=x onerror="alert(2)">'&amp;`;
  const result = createSampleResult();
  result.scenarios = result.scenarios.slice(0, 1);
  result.scenarios[0]!.name = hostile;
  result.scenarios[0]!.limits[0]!.name = hostile;
  result.scenarios[0]!.ratios[0]!.name = hostile;
  const page = await write({ ...result, commit: hostile });
  expect(page).not.toMatch(/alert\(1\)<\/script>|<img/);
  const charts = [...page.matchAll(/<script type="application\/json">(.*?)<\/script>/gs)].map(([, text]) =>
    JSON.parse(text!),
  );
  expect(charts[0].lines[0].name).toBe(hostile);
});

test('the file asks for nothing, and may run its own scripts only', async () => {
  const page = await write(createSampleResult());
  expect(page).toMatch(
    /content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; script-src &#39;sha256-/,
  );
  expect(page).not.toMatch(/<link|<script src|@import|url\(/);
});
