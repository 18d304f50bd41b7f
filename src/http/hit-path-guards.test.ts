import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AnswerCache } from '../cache/answer-cache.ts';
import { answerKeyOf } from '../cache/answer-key.ts';
import { createLocalInvalidationLog } from '../cache/invalidation-log.ts';
import type { Viewer } from '../context.ts';
import { unauthenticated } from '../errors.ts';
import { type ServeOptions, serveApp } from '../testing/serve-app.ts';
import { createTestApp, type TestAppOptions } from '../testing/test-app.ts';
import { type AdmissionOptions, createAdmission } from './admission.ts';
import { holderOf } from './answer-holder.ts';
import { createDrain } from './drain.ts';
import { HitPath } from './hit-path.ts';
import { createRateLimiter } from './rate-limit/rate-limiter.ts';
import { openRaw } from './testing-socket.ts';
import { openTrustedDocuments } from './trusted-documents/trusted-documents.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const openCache = () => new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 24 });

async function serve(options: TestAppOptions, serveOptions: ServeOptions = {}) {
  const app = await createTestApp({ cache: openCache(), ...options });
  let longWays = 0;
  const graphql: TestHandler = (...exchange) => {
    longWays += 1;
    return app.handler(...exchange);
  };
  const served = await serveApp(app, () => false, { graphql, directPath: undefined, ...serveOptions });
  closing.push(() => served.close());
  return {
    app,
    ...served,
    ask: (path: string, headers: Record<string, string> = {}) => fetch(`${served.origin}${path}`, { headers }),
    longWays: () => longWays,
  };
}

type TestHandler = NonNullable<ServeOptions['graphql']>;

const codeOf = async (response: Response) =>
  ((await response.json()) as { errors?: { extensions: { code: string } }[] }).errors?.[0]?.extensions.code;
const viewerQuery = `/graphql?${new URLSearchParams({ query: '{ viewer { name } }' })}`;

describe('where only trusted documents run', () => {
  /** A manifest in a file, changed whole at once as a deployment does it. */
  async function openManifest(documents: object, onReload: () => void) {
    const folder = await mkdtemp(join(tmpdir(), 'hot-documents-'));
    closing.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'documents.json');
    const write = async (next: object) => {
      await writeFile(`${path}.new`, JSON.stringify(next));
      await rename(`${path}.new`, path);
    };
    await write(documents);
    const opened = await openTrustedDocuments({
      path,
      isRequired: true,
      pollMs: 5,
      onReload,
      onProblem: console.error,
    });
    closing.push(() => opened.close());
    return { opened, write };
  }

  const kept = '{ viewer { email } }';
  const removed = '{ viewer { name } }';

  async function serveManifest() {
    let reloads = 0;
    let forget = () => {};
    const { opened, write } = await openManifest({ kept, removed }, () => {
      forget();
      reloads += 1;
    });
    const served = await serve({ trustedDocuments: opened, settings: { trustedDocuments: 'only' } });
    forget = () => served.app.hitPath!.forget();
    const withdraw = async () => {
      await write({ kept });
      await expect.poll(() => reloads).toBe(1);
    };
    return { ...served, withdraw };
  }

  const asText = `/graphql?${new URLSearchParams({ query: removed })}`;

  test('one that was hot is refused as soon as it is withdrawn, by its id and as text', async () => {
    const { ask, longWays, withdraw } = await serveManifest();
    const paths = ['/graphql/removed', '/graphql?documentId=removed', asText];
    for (const path of [...paths, ...paths, '/graphql/kept']) expect((await ask(path)).status).toBe(200);
    expect(longWays()).toBe(4);
    await withdraw();
    const codes = await Promise.all(paths.map(async (path) => codeOf(await ask(path))));
    expect(codes).toEqual(['PERSISTED_QUERY_NOT_FOUND', 'PERSISTED_QUERY_NOT_FOUND', 'PERSISTED_QUERY_ONLY']);
    expect((await ask('/graphql/kept')).status).toBe(200);
  });

  test('one that was let in before it was withdrawn, and answered after, is not hot then', async () => {
    const { app, ask, withdraw } = await serveManifest();
    // Its answer is kept, so that what is left to do is to learn of it.
    await ask('/graphql/removed');
    app.hitPath!.forget();
    const isLookedUp = Promise.withResolvers<void>();
    const letGo = Promise.withResolvers<void>();
    // Held where its document has been found trusted, and its answer is not out.
    const find = vi.spyOn(AnswerCache.prototype, 'find').mockImplementationOnce(async function (
      this: AnswerCache,
      key,
      record,
    ) {
      isLookedUp.resolve();
      await letGo.promise;
      return this.find(key, record);
    });
    closing.push(() => find.mockRestore());
    const early = ask('/graphql/removed');
    await isLookedUp.promise;
    await withdraw();
    letGo.resolve();
    expect(await codeOf(await early)).toBeUndefined();
    expect(await codeOf(await ask('/graphql/removed'))).toBe('PERSISTED_QUERY_NOT_FOUND');
  });
});

describe('what is checked before an answer', () => {
  /** One answer that is kept, for a viewer who is known at once. */
  async function serveKept(body: Buffer, options: ServeOptions = {}) {
    const viewer: Viewer = { userId: 'u', organizationId: 'o', scopes: ['read'] };
    const token = { isGood: true };
    const cache = openCache();
    const authenticate = () => {
      if (!token.isGood) throw unauthenticated();
      return viewer;
    };
    const hitPath = new HitPath({ cache, trustedProxies: 0, authenticate });
    const record = cache.record('other', 'viewer');
    const plan = {
      operationKey: 'k',
      variablesKey: '{}',
      scope: 'viewer',
      record,
      use: null,
      cost: 1,
      contentType: 'text/plain',
    } as const;
    const graphql: TestHandler = (request, response) => {
      hitPath.learn(request, plan);
      response.end('the long way');
    };
    const served = await serve({}, { graphql, hitPath, ...options });
    const making = await cache.find(answerKeyOf('k', holderOf('viewer', viewer)!, '{}'), record);
    if (making === null || 'etag' in making) throw new Error('expected nothing to be kept yet');
    making.keep({ body, tags: [], maxAgeMs: 60_000 });
    const ask = async () => (await served.ask('/graphql?query=x')).text();
    return { ...served, ask, token };
  }

  test('is the token, also where that fails at once: the long way says what is wrong', async () => {
    const { ask, token } = await serveKept(Buffer.from('kept'));
    const texts: string[] = [];
    for (const isGood of [true, true, false, true]) {
      token.isGood = isGood;
      texts.push(await ask());
    }
    expect(texts).toEqual(['the long way', 'kept', 'the long way', 'kept']);
  });

  test.each(['viewer', 'address'] as const)('is the quota, of which both ways tell the same: %s', async (name) => {
    const quota = { points: 1_000, windowSeconds: 60, isWarnOnly: false };
    const rateLimits = { viewer: null, address: null, [name]: quota };
    const log = pino({ level: 'silent' });
    const rateLimiter = createRateLimiter({ rateLimits, redis: null, log, registry: new Registry() });
    const { ask, longWays } = await serve({ rateLimiter });
    const answers = [await ask(viewerQuery), await ask(viewerQuery)].map(({ headers }) => headers);
    expect(longWays()).toBe(1);
    expect(new Set(answers.map((headers) => [...headers.keys()].join())).size).toBe(1);
    const [first, second] = answers.map((headers) => Number(/r=(\d+)/.exec(headers.get('ratelimit')!)![1]));
    expect(first! - second!).toBeGreaterThan(0);
  });

  test.each([
    ['small', 4],
    ['more than the buffers of a connection hold', 12 * 2 ** 20],
  ])('is whether there is room, which an answer takes until its last byte is out: %s', async (_label, bytes) => {
    const registry = new Registry();
    const limits: AdmissionOptions = {
      maxInFlight: 2,
      maxEventLoopDelayMs: 60_000,
      isDatabaseFull: () => false,
      registry,
    };
    const admission = createAdmission(limits);
    closing.push(() => admission.close());
    const inFlight = async () =>
      (await registry.getSingleMetric('tributary_requests_in_flight')!.get()).values[0]!.value;
    const { ask, port } = await serveKept(Buffer.alloc(bytes, 'x'), { admission });
    const lengths = [await ask(), await ask(), await ask()].map((text) => text.length);
    expect(lengths).toEqual(['the long way'.length, bytes, bytes]);
    await expect.poll(inFlight).toBe(0);
    const raw = await openRaw(port);
    raw.socket.pause();
    raw.socket.write('GET /graphql?query=x HTTP/1.1\r\nhost: x\r\naccept: */*\r\n\r\n');
    const isStuck = bytes > 2 ** 20;
    await expect.poll(inFlight).toBe(isStuck ? 1 : 0);
    for (let free = isStuck ? 1 : 2; free > 0; free--) admission.enter();
    expect(await ask()).toContain('OVERLOADED');
    raw.socket.destroy();
    await expect.poll(inFlight).toBe(isStuck ? 1 : 2);
  });
});

test('a server that ends tells it with answers that are kept, too', async () => {
  const { longWays, server, port } = await serve({});
  const drain = createDrain(server);
  const raw = await openRaw(port);
  const head = `GET ${viewerQuery} HTTP/1.1\r\nhost: x\r\naccept: */*\r\n\r\n`;
  for (let count = 1; count <= 2; count++) {
    raw.socket.write(head);
    await raw.received(RegExp(`("data"[^]*){${count}}`));
  }
  const ended = drain.begin({ graceMs: 5_000, timeoutMs: 10_000 });
  raw.socket.write(head);
  const text = await raw.closed();
  expect(await ended).toBe(0);
  expect(longWays()).toBe(1);
  const connections = [...text.matchAll(/^connection: (.*)$/gim)].map(([, value]) => value!.trim());
  expect(connections).toEqual(['keep-alive', 'keep-alive', 'close']);
});
