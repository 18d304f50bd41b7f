import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser, openBrowser } from '../../src/testing/browser.ts';
import { writeReport } from './bench-report.ts';
import { createSampleResult } from './sample-result.ts';
import { writeSeriesReport } from './series-report.ts';

const executable = findBrowser();
if (!executable)
  console.warn('The report in a browser: skipped, no chromium on the PATH (Debian: apt-get install chromium)');

describe.skipIf(!executable)('the report in a browser', { timeout: 60_000 }, () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  const strangers: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tributary-report-'));
    browser = await openBrowser(executable ?? '');
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
    page.on('request', (request) => {
      if (!request.isNavigationRequest()) strangers.push(request.url());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => complaints.push(message.text()));
    const result = createSampleResult();
    result.scenarios[0]!.name = hostile;
    await writeReport(result, join(folder, 'report.html'));
    await page.goto(pathToFileURL(join(folder, 'report.html')).href);
  });

  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true });
  });

  const hostile = `</script><script>document.title = 'taken'</script><img src=x onerror="document.title = 'taken'">`;

  test('every chart is drawn, in the colour of ours', async () => {
    const inked = await page.locator('canvas').evaluateAll(countInk, [10, 98, 201]);
    // Three for each load: latency, memory, event-loop delay.
    expect(inked).toHaveLength(3 * createSampleResult().scenarios.length);
    expect(Math.min(...inked)).toBeGreaterThan(100);
  });

  test('labels do not overlap where lines end close to each other', async () => {
    const labels = page.locator('figure.chart').first().locator('.labels span');
    const tops = await labels.evaluateAll((spans) => spans.map((span) => span.getBoundingClientRect().top));
    tops.sort((a, b) => a - b);
    expect(tops).toHaveLength(4);
    expect(Math.min(...tops.slice(1).map((top, index) => top - tops[index]!))).toBeGreaterThan(13.9);
  });

  test('bars are as long as their ratios, by factors', async () => {
    const widths = await page
      .locator('.load')
      .nth(1)
      .locator('.bar')
      .evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().width));
    const ratios = createSampleResult().scenarios[1]!.ratios.map(({ value }) => Math.log(value));
    expect(widths[0]! / widths[2]!).toBeCloseTo(ratios[0]! / ratios[2]!, 1);
  });

  test('the caption reads out what is below the pointer, and comes back', async () => {
    const figure = page.locator('figure.chart').first();
    const caption = figure.locator('figcaption');
    await figure.locator('.u-over').hover({ position: { x: 120, y: 80 } });
    await expect.poll(() => caption.textContent()).toMatch(/^9\d(\.\d)? %: ours [\d.]+, constant bytes [\d.]+, .* ms$/);
    await page.locator('h1').hover();
    await expect.poll(() => caption.textContent()).toBe('latency by share of requests, ms');
  });

  test('names that look like markup are text', async () => {
    expect(await page.locator('h2').first().textContent()).toBe(hostile);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toBe('Tributary, measured');
  });

  test('another colour scheme redraws the charts', async () => {
    await page.emulateMedia({ colorScheme: 'dark' });
    const ink = async () => Math.min(...(await page.locator('canvas').evaluateAll(countInk, [99, 170, 255])));
    await expect.poll(ink).toBeGreaterThan(100);
    await page.emulateMedia({ colorScheme: 'light' });
  });

  test('fits narrow windows and a phone: nothing wider than the page, labels inside, charts as wide as their place', async () => {
    for (const width of [1100, 700, 400]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    }
    const canvas = page.locator('canvas').first();
    await expect.poll(async () => (await canvas.boundingBox())?.width).toBe(368);
    await expect.poll(() => cutLabels(page.locator('.labels span'))).toEqual([]);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test('figures over time and over other things share the charts that they name', async () => {
    const over = (count: number, step: number, value: (index: number) => number) =>
      Array.from({ length: count }, (_, index): [number, number] => [index * step, value(index)]);
    const rows = { kind: 'number', label: 'rows stored', isLogarithmic: true } as const;
    const file = join(folder, 'series.html');
    await writeSeriesReport(
      {
        title: 'Endurance, 60 minutes',
        facts: [['load', '1,000 req/s']],
        series: [
          { name: 'RSS', unit: 'MiB', chart: 'memory', bound: 512, points: over(720, 5_000, () => 220) },
          { name: 'heap', unit: 'MiB', chart: 'memory', points: over(720, 5_000, (index) => 60 + (index % 20)) },
          { name: 'open sockets', unit: 'sockets', points: over(10, 6_000, () => 64) },
          {
            name: 'CPU a request',
            unit: 'µs',
            x: rows,
            points: [
              [1e4, 471],
              [1e5, 478],
              [1e6, 492],
            ],
          },
          {
            name: 'CPU of a page',
            unit: 'µs',
            x: { kind: 'number', label: 'rows returned', isLogarithmic: false },
            points: [
              [6, 310],
              [19, 340],
              [630, 1_980],
            ],
          },
          { name: 'never sampled', unit: 'ms', points: [] },
        ],
      },
      file,
    );
    await page.goto(pathToFileURL(file).href);
    const captions = await page.locator('figcaption').allTextContents();
    expect(captions).toEqual([
      'memory, MiB',
      'open sockets, sockets',
      'CPU a request, µs, by rows stored',
      'CPU of a page, µs, by rows returned',
    ]);
    expect(await page.locator('figure').first().locator('.labels').innerText()).toMatch(/RSS\s+heap\s+budget 512/);
    expect(Math.min(...(await page.locator('canvas').evaluateAll(countInk, [10, 98, 201])))).toBeGreaterThan(100);
    expect(await page.locator('canvas').first().evaluateAll(countInk, [179, 38, 30])).not.toContain(0);
  });

  test('no request to anywhere, and no complaint of the browser', () => {
    expect(strangers).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

/** In the page: the pixels of each canvas that have a colour. */
function countInk(canvases: Element[], [red, green, blue]: number[]): number[] {
  return (canvases as HTMLCanvasElement[]).map((canvas) => {
    // Read from a copy: the browser complains of reading one that it draws.
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true })!;
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count += 1;
    }
    return count;
  });
}

/** The texts of labels of which not all can be seen. */
function cutLabels(labels: Locator): Promise<string[]> {
  return labels.evaluateAll((spans) =>
    spans
      .filter((span) => span.scrollWidth > span.clientWidth || span.getBoundingClientRect().right > innerWidth)
      .map((span) => span.textContent ?? ''),
  );
}
