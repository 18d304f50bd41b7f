/** urql in a page of another origin, in a real browser: preflights, and the HTTP cache of the browser. */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../../context.ts';
import { findBrowser, openBrowser } from '../../../testing/browser.ts';
import { bearerOf, type ClientServer, createPeople, openClientServer, type Person } from './testing-server.ts';

const executable = findBrowser();
if (!executable) console.warn('urql in a browser: skipped, no chromium on the PATH (Debian: apt-get install chromium)');

const modules: Record<string, string> = {
  '@0no-co/graphql.web': '@0no-co/graphql.web/dist/graphql.web.mjs',
  '@urql/core': '@urql/core/dist/urql-core.mjs',
  '@urql/exchange-persisted': '@urql/exchange-persisted/dist/urql-exchange-persisted.mjs',
  wonka: 'wonka/dist/wonka.mjs',
};
const imports = Object.fromEntries(Object.entries(modules).map(([name, path]) => [name, `/${path}`]));
/** The application: a client with an empty cache of its own, each time it shows something. */
const html = `<!doctype html>
<script>globalThis.process = { env: { NODE_ENV: 'production' } };</script>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
  import { Client, cacheExchange, fetchExchange } from '@urql/core';
  import { persistedExchange } from '@urql/exchange-persisted';
  globalThis.show = async ({ url, query, authorization }) => {
    const client = new Client({
      url,
      fetchOptions: { headers: { authorization } },
      preferGetMethod: false,
      exchanges: [cacheExchange, persistedExchange({ preferGetForPersistedQueries: true }), fetchExchange],
    });
    const { data, error } = await client.query(query, {}).toPromise();
    return error ? error.message : [data.viewer.name, ...data.features.nodes.map(({ name }) => name)];
  };
</script>`;

const query =
  'query Mine { viewer { name } features(first: 10, orderBy: { field: NAME, direction: ASC }) { nodes { name } } }';

describe.skipIf(!executable)('urql in a page of another origin', { timeout: 60_000 }, () => {
  let site: Server;
  let server: ClientServer;
  let people: Person[];
  let browser: Browser;
  let page: Page;
  const answered: string[] = [];

  beforeAll(async () => {
    site = createServer(async ({ url }, response) => {
      const isPage = url === '/';
      const body = isPage ? html : await readFile(`node_modules${url}`, 'utf8').catch(() => null);
      response
        .writeHead(body === null ? 404 : 200, { 'content-type': isPage ? 'text/html' : 'text/javascript' })
        .end(body);
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    server = await openClientServer({ corsOrigins: [origin] });
    server.http.on('request', ({ method }, response) => {
      response.once('finish', () => answered.push(`${method} ${response.statusCode}`));
    });
    people = await createPeople(server.app);
    browser = await openBrowser(executable ?? '');
    page = await browser.newPage();
    page.on('pageerror', (error) => console.error(error));
    await page.goto(origin);
  });

  beforeEach(() => {
    answered.length = 0;
  });

  afterAll(async () => {
    await browser?.close();
    site?.closeAllConnections();
    site?.close();
    await server?.close();
  });

  const show = (viewer: Viewer): Promise<unknown> =>
    page.evaluate(`show(${JSON.stringify({ url: server.url, query, authorization: bearerOf(viewer) })})`);

  /** What the server answered to it, beside what it shows. */
  const showing = async (viewer: Viewer) => {
    answered.length = 0;
    return { shown: await show(viewer), answered: [...answered] };
  };

  test('may ask after a preflight for each URL', async () => {
    const [{ viewer, name, features }] = people as [Person];
    expect(await showing(viewer)).toEqual({
      shown: [name, ...features],
      answered: ['OPTIONS 204', 'GET 404', 'OPTIONS 204', 'GET 200'],
    });
  });

  test('has its answers in the cache of the browser, and asks each time whether they are still right', async () => {
    const [{ viewer, name, ids }, colleague] = people as [Person, Person];
    await show(viewer);
    const first = await showing(viewer);
    expect(await showing(viewer)).toEqual({ shown: first.shown, answered: ['GET 304'] });
    const rename = `mutation { updateFeature(input: { id: "${ids.get('Alpha')}", name: "A new name" }) { feature { id } } }`;
    await server.fetchAs(colleague.viewer)(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: rename }),
    });
    const after = await showing(viewer);
    expect(after).toEqual({ shown: [name, 'A new name', ...colleague.features.slice(1)], answered: ['GET 200'] });
    expect(await showing(viewer)).toEqual({ ...after, answered: ['GET 304'] });
  });

  test('shows nobody what was another’s in the same browser', async () => {
    for (let round = 0; round < 2; round++) {
      for (const { viewer, name } of people) expect(await show(viewer)).toEqual(expect.arrayContaining([name]));
    }
  });
});
