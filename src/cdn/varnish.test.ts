import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createOrganization } from '../testing/seed-builders.ts';
import { hasVarnish, startTestVarnish, type TestEdge } from '../testing/test-edge.ts';
import { createPurger, type Purger, type PurgerOptions } from './purger.ts';
import { type DocumentName, type PublicSite, pages, purgerOptions, servePublicSite } from './testing-public-site.ts';

const json = 'application/json';

async function get(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers: { accept: json, ...headers } });
  const text = await response.text();
  return { status: response.status, headers: Object.fromEntries(response.headers), text };
}

describe.skipIf(!hasVarnish())('behind Varnish', () => {
  let site: PublicSite;
  let edge: TestEdge;
  let purger: Purger;
  /** Another name each time. */
  let writes = 0;

  const openPurger = (options: Partial<PurgerOptions> = {}, to = edge) =>
    createPurger({ ...purgerOptions, cdnPurgeUrls: [`varnish+${to.origin}`], repeatAfterMs: 60_000, ...options });
  const ask = (name: DocumentName, feature = site.features[0]!, headers: Record<string, string> = {}) =>
    get(edge.origin + site.pathOf(name, feature), headers);
  const renameFirst = async () => {
    writes += 1;
    const name = `Name ${writes}`;
    await site.rename(site.features[0]!, name);
    return name;
  };

  beforeAll(async () => {
    site = await servePublicSite();
    edge = await startTestVarnish(site.served.port);
  });

  beforeEach(async () => {
    purger = openPurger();
    site.purger = purger;
    await purger.purgeEverything();
    site.takeRequests();
  });

  afterEach(() => purger.close());

  afterAll(async () => {
    await edge?.stop();
    await site?.served.close();
  });

  describe('what is everybody’s', () => {
    test('comes here once, however many ask at a time and later', async () => {
      const together = await Promise.all(Array.from({ length: 50 }, () => ask('one')));
      const later = await ask('one');
      expect(site.takeRequests()).toHaveLength(1);
      for (const answer of [...together, later]) {
        expect(answer).toMatchObject({ status: 200, text: together[0]!.text });
      }
      expect(JSON.parse(later.text).data.publicFeature.testSummary).toEqual({ total: 0 });
    });

    test('says how old it is, asks clients to ask again, and keeps tags and what was another’s to itself', async () => {
      await ask('one');
      const { headers } = await ask('one');
      expect(headers).toMatchObject({
        age: expect.stringMatching(/^\d+$/),
        'cache-control': 'public, no-cache',
        'cache-status': expect.stringMatching(/^varnish; hit; ttl=3[0-9]{3}$/),
      });
      for (const name of ['cache-tag', 'surrogate-key', 'xkey', 'x-request-id', 'ratelimit', 'set-cookie']) {
        expect(headers).not.toHaveProperty(name);
      }
      const unchanged = await ask('one', undefined, { 'if-none-match': headers.etag! });
      expect([unchanged.status, unchanged.text]).toEqual([304, '']);
      expect(site.takeRequests()).toHaveLength(1);
    });

    test('is for each page that asks, by its own CORS header', async () => {
      for (let times = 0; times < 2; times++) {
        for (const origin of pages) {
          expect((await ask('one', undefined, { origin })).headers['access-control-allow-origin']).toBe(origin);
        }
        expect((await ask('one', undefined, { origin: 'https://other.example' })).headers).not.toHaveProperty(
          'access-control-allow-origin',
        );
        expect((await ask('one')).headers).not.toHaveProperty('access-control-allow-origin');
      }
    });

    test('is one object whatever the order of parameters, and one for each media type', async () => {
      const { accept, ...none } = { accept: undefined };
      const path = `/graphql?variables=${new URLSearchParams(site.pathOf('one').split('?')[1]).get('variables')}&documentId=one`;
      const reversed = path.replace(/\?(.*)&(.*)$/, '?$2&$1');
      for (const each of [path, reversed]) {
        for (const given of ['*/*', json, `${json};charset=utf-8`, `${json}, text/plain;q=0.5`]) {
          const { status } = await get(edge.origin + encodeURI(each), { ...none, accept: given });
          expect(status).toBe(200);
        }
      }
      // That with a parameter is passed on.
      expect(site.takeRequests()).toHaveLength(3);
      const graphql = 'application/graphql-response+json, application/json;q=0.9';
      for (let times = 0; times < 3; times++) {
        const { headers } = await get(edge.origin + encodeURI(path), { accept: graphql });
        expect(headers['content-type']).toContain('application/graphql-response+json');
      }
      expect(site.takeRequests()).toHaveLength(1);
    });
  });

  describe('a write', () => {
    test('is seen at the edge once it is acknowledged', async () => {
      for (let times = 0; times < 20; times++) {
        await Promise.all([ask('one'), ask('list')]);
        const name = await renameFirst();
        expect(JSON.parse((await ask('one')).text).data.publicFeature.name).toBe(name);
        expect((await ask('list')).text).toContain(`"${name}"`);
      }
    });

    test('takes away what is not public any more', async () => {
      const [, feature] = site.features as [unknown, { id: string }];
      const publish = (isPublic: boolean) =>
        site.mutate(
          'mutation ($id: ID!, $isPublic: Boolean!) { updateFeature(input: { id: $id, isPublic: $isPublic }) { feature { id } } }',
          { id: feature.id, isPublic },
        );
      await publish(true);
      expect(JSON.parse((await ask('one', site.features[1]!)).text).data.publicFeature).not.toBeNull();
      await publish(false);
      expect(JSON.parse((await ask('one', site.features[1]!)).text).data.publicFeature).toBeNull();
      await publish(true);
      expect(JSON.parse((await ask('one', site.features[1]!)).text).data.publicFeature).not.toBeNull();
    });

    test('leaves what it does not change', async () => {
      const other = await createOrganization(site.app.database.pool);
      await ask('one', site.features[2]!);
      await ask('list');
      site.takeRequests();
      await renameFirst();
      await ask('one', site.features[2]!);
      await site.mutate(
        'mutation { createFeature(input: { name: "Elsewhere", isPublic: true }) { feature { id } } }',
        {},
        other,
      );
      await ask('one', site.features[2]!);
      expect(site.takeRequests()).toEqual([]);
    });

    test('purges an answer that was on its way to the edge meanwhile, a little later', async () => {
      const gate = Promise.withResolvers<void>();
      let held = 0;
      // Between the edge and the server: what is asked first comes late.
      const late = createServer(async (request, response) => {
        const answer = await get(site.served.origin + request.url, { accept: json });
        if (request.url?.startsWith('/graphql')) {
          held += 1;
          await gate.promise;
        }
        const {
          'content-encoding': _,
          'content-length': __,
          'transfer-encoding': ___,
          connection,
          ...headers
        } = answer.headers;
        response.writeHead(answer.status, headers).end(answer.text);
      }).listen(0, '127.0.0.1');
      await new Promise((resolve) => late.once('listening', resolve));
      const lateEdge = await startTestVarnish((late.address() as AddressInfo).port);
      const latePurger = openPurger({ repeatAfterMs: 500 }, lateEdge);
      try {
        const old = await renameFirst();
        site.purger = latePurger;
        const nameAt = async () =>
          JSON.parse((await get(lateEdge.origin + site.pathOf('one'))).text).data.publicFeature.name as string;
        const first = nameAt();
        await expect.poll(() => held).toBe(1);
        const name = await renameFirst();
        gate.resolve();
        expect(await first).toBe(old);
        // It was kept after the purge: the repeat finds it.
        expect(await nameAt()).toBe(old);
        await expect.poll(nameAt).toBe(name);
      } finally {
        await latePurger.close();
        await lateEdge.stop();
        late.closeAllConnections();
        late.close();
      }
    });
  });
});
