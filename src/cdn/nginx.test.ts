import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOrganization } from '../testing/seed-builders.ts';
import { viewerHeader } from '../testing/test-app.ts';
import { hasNginx, startTestNginx, type TestEdge } from '../testing/test-edge.ts';
import { type DocumentName, type PublicSite, pages, servePublicSite } from './testing-public-site.ts';

describe.skipIf(!hasNginx())('nginx', () => {
  let site: PublicSite;
  let edge: TestEdge;

  const ask = async (name: DocumentName, headers: Record<string, string> = {}) => {
    const response = await fetch(edge.origin + site.pathOf(name), { headers: { accept: '*/*', ...headers } });
    return { status: response.status, text: await response.text(), headers: Object.fromEntries(response.headers) };
  };

  beforeAll(async () => {
    site = await servePublicSite();
    edge = await startTestNginx(site.served.port);
  });

  afterAll(async () => {
    await edge?.stop();
    await site?.served.close();
  });

  test('asks for what is public about once a second, however many ask', async () => {
    site.takeRequests();
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask('one')));
    for (const { status, text } of answers) expect([status, text]).toEqual([200, answers[0]!.text]);
    let later = 0;
    const states = new Set<string | undefined>();
    await expect
      .poll(
        async () => {
          later += 1;
          states.add((await ask('one')).headers['x-cache-status']);
          return states.has('STALE') || states.has('UPDATING');
        },
        { interval: 10 },
      )
      .toBe(true);
    expect(site.takeRequests().length).toBeLessThan((answers.length + later) / 5);
  });

  test('shows a write soon, without being told', async () => {
    await ask('one');
    await site.rename(site.features[0]!, 'Renamed');
    await expect.poll(async () => (await ask('one')).text).toContain('"Renamed"');
  });

  test('lets clients keep it no longer than itself, and keeps tags to itself', async () => {
    await ask('list');
    const { headers } = await ask('list');
    expect(headers).toMatchObject({
      'x-cache-status': 'HIT',
      'cache-control': 'public, max-age=0, s-maxage=1, stale-while-revalidate=1',
    });
    for (const name of ['cache-tag', 'surrogate-key']) expect(headers).not.toHaveProperty(name);
    expect((await ask('list', { 'if-none-match': headers.etag! })).status).toBe(304);
  });

  test('answers each page that asks, by its own CORS header', async () => {
    for (let times = 0; times < 2; times++) {
      for (const origin of pages) {
        expect((await ask('one', { origin })).headers['access-control-allow-origin']).toBe(origin);
      }
      expect((await ask('one', { origin: 'https://other.example' })).headers).not.toHaveProperty(
        'access-control-allow-origin',
      );
      expect((await ask('one')).headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  test('keeps nothing that is somebody’s', async () => {
    const { viewer } = site.app;
    const other = await createOrganization(site.app.database.pool);
    site.takeRequests();
    for (let times = 0; times < 3; times++) {
      for (const each of [viewer, other]) {
        // Without its rule for Authorization the header of the answer has to do.
        for (const authorization of [{ authorization: 'Bearer of-a-test' }, {}]) {
          const { text } = await ask('own', { [viewerHeader]: JSON.stringify(each), ...authorization });
          expect(Buffer.from(JSON.parse(text).data.viewer.id as string, 'base64url').toString()).toContain(each.userId);
        }
      }
      expect((await ask('own', { [viewerHeader]: 'null' })).text).toContain('"viewer":null');
    }
    expect(site.takeRequests()).toHaveLength(15);
  });

  test('tells the server whose address it was, and shows nobody what is for operators', async () => {
    site.takeRequests();
    await ask('own', { 'x-forwarded-for': '192.0.2.1' });
    expect(site.takeRequests()).toMatchObject([{ forwardedFor: '192.0.2.1, 127.0.0.1' }]);
    expect((await fetch(`${edge.origin}/metrics`)).status).toBe(404);
  });
});
