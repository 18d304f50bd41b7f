import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Viewer } from '../context.ts';
import { createOrganization } from '../testing/seed-builders.ts';
import { viewerHeader } from '../testing/test-app.ts';
import { hasVarnish, startTestVarnish, type TestEdge } from '../testing/test-edge.ts';
import { createPurger } from './purger.ts';
import { type DocumentName, type PublicSite, purgerOptions, servePublicSite } from './testing-public-site.ts';

const token = 'token-of-a-test';

async function send(url: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await fetch(url, { method, headers: { accept: 'application/json', ...headers } });
  return { status: response.status, text: await response.text() };
}

describe.skipIf(!hasVarnish())('Varnish', () => {
  let site: PublicSite;
  let edge: TestEdge;
  /** Would keep what is somebody's, if only it might. */
  let careless: TestEdge;

  const purgerOf = (to: TestEdge, cdnPurgeToken = token) =>
    createPurger({ ...purgerOptions, cdnPurgeToken, cdnPurgeUrls: [`varnish+${to.origin}`], repeatAfterMs: 300 });
  const as = (viewer: Viewer) => ({ authorization: `Bearer ${viewer.userId}`, [viewerHeader]: JSON.stringify(viewer) });
  const nobody = { [viewerHeader]: 'null' };
  const ask = (name: DocumentName, headers: Record<string, string> = nobody, to = edge) =>
    send(to.origin + site.pathOf(name), headers);
  const nameAt = async () => JSON.parse((await ask('one')).text).data?.publicFeature.name as string | undefined;

  beforeAll(async () => {
    site = await servePublicSite();
    edge = await startTestVarnish(site.served.port, { token });
    careless = await startTestVarnish(site.served.port, {
      replacements: [['if (req.http.Authorization || req.http.Cookie || ', 'if (']],
    });
  });

  afterAll(async () => {
    await edge?.stop();
    await careless?.stop();
    await site?.served.close();
  });

  describe('keeps nothing that is somebody’s', () => {
    test.each([
      ['with its rules for requests', () => edge],
      ['even without its rules for requests', () => careless],
    ])('%s', async (_label, to) => {
      const { viewer } = site.app;
      const other = await createOrganization(site.app.database.pool);
      site.takeRequests();
      for (let times = 0; times < 5; times++) {
        const answers = [
          await ask('own', as(viewer), to()),
          await ask('own', as(other), to()),
          await ask('own', nobody, to()),
        ];
        const ids = answers.map(({ text }) => JSON.parse(text).data?.viewer?.id as string | undefined);
        expect(new Set(ids).size).toBe(3);
        expect(ids[2]).toBeUndefined();
        // What is public and somebody's at once is somebody's.
        expect((await ask('mixed', as(viewer), to())).text).toContain('"viewer":{"name"');
        expect((await ask('mixed', nobody, to())).text).toContain('"viewer":null');
      }
      expect(site.takeRequests()).toHaveLength(25);
    });

    test('answers who is signed in from the server, and who has a cookie', async () => {
      await ask('one');
      site.takeRequests();
      await ask('one', { ...nobody, cookie: 'a=1' });
      await ask('one', { ...nobody, 'x-cost': 'report' });
      await ask('one', as(site.app.viewer));
      expect(site.takeRequests()).toHaveLength(3);
      await ask('one');
      expect(site.takeRequests()).toEqual([]);
    });

    test('nor errors', async () => {
      for (let times = 0; times < 3; times++) {
        expect((await send(`${edge.origin}/graphql/unknown`, nobody)).text).toContain('PERSISTED_QUERY_NOT_FOUND');
        expect((await send(`${edge.origin}/graphql/one`, nobody)).text).toContain('BAD_USER_INPUT');
      }
      expect(site.takeRequests()).toHaveLength(6);
    });
  });

  test('tells the server whose address it was, behind what the client says', async () => {
    site.takeRequests();
    await ask('own', { ...nobody, 'x-forwarded-for': '192.0.2.1' });
    expect(site.takeRequests()).toMatchObject([{ forwardedFor: '192.0.2.1, 127.0.0.1' }]);
  });

  test('shows nobody what is for operators', async () => {
    for (const path of ['/metrics', '/readyz', '/healthz', '/metrics?a']) {
      expect((await send(edge.origin + path)).status).toBe(404);
    }
    expect((await send(`${edge.origin}/graphql`, {}, 'DELETE')).status).toBe(405);
  });

  test('purges for who has the token only', async () => {
    await ask('one');
    site.takeRequests();
    const purge = (headers: Record<string, string>) =>
      send(edge.origin, { 'xkey-purge': 'tributary', ...headers }, 'PURGE');
    expect((await purge({})).status).toBe(403);
    expect((await purge({ authorization: 'Bearer guessed' })).status).toBe(403);
    await ask('one');
    expect(site.takeRequests()).toEqual([]);
    expect((await purge({ authorization: `Bearer ${token}` })).status).toBe(200);
    await ask('one');
    expect(site.takeRequests()).toHaveLength(1);
  });

  describe('that is away holds no write, and is purged when it is back:', () => {
    test('frozen', async () => {
      const purger = purgerOf(edge);
      site.purger = purger;
      try {
        await site.rename(site.features[0]!, 'Before');
        expect(await nameAt()).toBe('Before');
        edge.freeze();
        for (const name of ['During', 'During, too']) await site.rename(site.features[0]!, name);
        edge.thaw();
        await expect.poll(nameAt).toBe('During, too');
      } finally {
        edge.thaw();
        await purger.close();
      }
    });

    test('dead', async () => {
      const purger = purgerOf(edge);
      site.purger = purger;
      try {
        await site.rename(site.features[0]!, 'Alive');
        await edge.kill();
        await site.rename(site.features[0]!, 'Dead');
        await edge.start();
        await expect.poll(nameAt).toBe('Dead');
        await site.rename(site.features[0]!, 'Alive again');
        await expect.poll(nameAt).toBe('Alive again');
      } finally {
        await purger.close();
      }
    });
  });

  test('gives nothing stale that was purged, also while the server does not answer', async () => {
    const purger = purgerOf(edge);
    site.purger = purger;
    await site.rename(site.features[0]!, 'Fresh');
    expect(await nameAt()).toBe('Fresh');
    const { server } = site.served;
    const listeners = server.listeners('request');
    try {
      server.removeAllListeners('request');
      server.on('request', (_request, response) => response.destroy());
      expect(await nameAt()).toBe('Fresh');
      await purger.purgeEverything();
      expect(await ask('one')).toMatchObject({ status: 503 });
    } finally {
      server.removeAllListeners('request');
      for (const listener of listeners) server.on('request', listener as () => void);
      await purger.close();
    }
  });
});
