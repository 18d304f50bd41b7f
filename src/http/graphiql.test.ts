import type { Server } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser, openBrowser } from '../testing/browser.ts';
import { createFeatures } from '../testing/seed-builders.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { exampleOperations } from './example-operations.ts';
import { createListener, listen } from './listener.ts';

const executable = findBrowser();
if (!executable)
  console.warn('GraphiQL in a browser: skipped, no chromium on the PATH (Debian: apt-get install chromium)');

describe.skipIf(!executable)('GraphiQL in a browser', { timeout: 60_000 }, () => {
  let app: TestApp;
  let server: Server;
  let browser: Browser;
  let page: Page;
  let origin = '';
  const strangers: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    app = await createTestApp();
    await createFeatures(app.database.pool, app.viewer, [{ name: 'Answer from the graph', status: 'IN_PROGRESS' }]);
    const readiness = async () => ({ isReady: true, details: {} });
    const listener = createListener({
      graphql: app.handler,
      readiness,
      registry: new Registry(),
      servesMetrics: false,
    });
    const listening = await listen(listener, '127.0.0.1', 0);
    server = listening.server;
    origin = `http://127.0.0.1:${listening.port}`;
    browser = await openBrowser(executable ?? '');
    page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !/^(data|blob):/.test(url)) strangers.push(url);
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) complaints.push(message.text());
    });
    await page.goto(`${origin}/graphql`, { waitUntil: 'load' });
  });

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
    await app?.close();
  });

  test('opens with the examples in tabs', async () => {
    await page.waitForSelector('.graphiql-tab');
    const tabs = await page.locator('.graphiql-tab-button').allTextContents();
    expect(tabs).toEqual(exampleOperations(new Date()).map((example) => example.name));
  });

  test('runs an example and shows its result', async () => {
    await page.locator('.graphiql-execute-button').click();
    const result = page.locator('.result-window');
    await result.getByText('Answer from the graph').first().waitFor();
    expect(await result.textContent()).toContain('totalCount');
  });

  test('switches to another example at the first click', async () => {
    await page.locator('.graphiql-tab-button', { hasText: 'CreateFeature' }).click({ delay: 80 });
    await page.locator('.graphiql-tab-active', { hasText: 'CreateFeature' }).waitFor();
    // GraphiQL takes over the tab's operation some 100 ms after its text.
    const run = async () => {
      await page.locator('.graphiql-execute-button').click();
      return page.locator('.result-window').textContent();
    };
    await expect.poll(run, { interval: 500, timeout: 30_000 }).toContain('"createFeature"');
  });

  test('needs no network but the server', () => {
    expect(strangers).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
