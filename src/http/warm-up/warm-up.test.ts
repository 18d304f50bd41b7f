import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerCache } from '../../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../../cache/invalidation-log.ts';
import { encodeGlobalId } from '../../schema/global-id.ts';
import { schema } from '../../schema/index.ts';
import { createFeatures } from '../../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp } from '../../testing/test-app.ts';
import type { App } from '../app.ts';
import { createRateLimiter } from '../rate-limit/rate-limiter.ts';
import { apolloFormat, parseManifest, sha256Of } from '../trusted-documents/manifest.ts';
import { indexDocuments } from '../trusted-documents/trusted-documents.ts';
import type { UsedDocument } from './public-uses.ts';
import { type WarmUpOptions, warmUp } from './warm-up.ts';

const roadmap = `query Roadmap($organizationId: ID!, $first: Int!) {
  publicFeatures(organizationId: $organizationId, first: $first) { nodes { name } }
}`;
const own = 'query Own { viewer { name } }';
const change = 'mutation Change { createFeature(input: { name: "made by nobody" }) { feature { name } } }';
const several = `${roadmap} query B { __typename }`;
const broken = 'query Gone($organizationId: ID!) { publicFeatures(organizationId: $organizationId) { gone } }';
const silent = pino({ level: 'silent' });

let app: TestApp;
let cache: AnswerCache;
let organizationId = '';
const lines: Record<string, unknown>[] = [];
const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line)) });
const documentsOf = (listed: object[] = []) =>
  indexDocuments(
    parseManifest(
      JSON.stringify({
        format: apolloFormat,
        version: 1,
        operations: [
          { id: 'roadmap', body: roadmap, warmUp: listed.map((variables) => ({ variables })) },
          ...[own, change, several, broken].map((body) => ({ id: sha256Of(body), body })),
        ],
      }),
    ),
  );
const documents = documentsOf();

beforeAll(async () => {
  cache = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 24 });
  const quotas = { viewer: null, address: { points: 10_000, windowSeconds: 60, isWarnOnly: false } };
  const rateLimiter = createRateLimiter({ rateLimits: quotas, redis: null, log: silent, registry: new Registry() });
  app = await createTestApp({
    cache,
    trustedDocuments: documents,
    rateLimiter,
    settings: { trustedDocuments: 'only' },
  });
  await createFeatures(app.database.pool, app.viewer, [{ name: 'shown', isPublic: true }, { name: 'hidden' }]);
  organizationId = encodeGlobalId('Organization', app.viewer.organizationId);
});

afterAll(() => app.close());

beforeEach(async () => {
  lines.length = 0;
  await cache.onWrite([`${app.viewer.organizationId}/features`, `${app.viewer.organizationId}/features.*`]);
});

const use = (text: string, variables: object = {}): UsedDocument => ({
  sha256: sha256Of(text),
  variables: { ...variables },
});
const page = (first: number) => use(roadmap, { organizationId, first });
const start = (used: UsedDocument[], options: Partial<WarmUpOptions> = {}) =>
  warmUp({
    fetch: (url, init, context) => (app.handler as unknown as App).fetch(url, init, context),
    schema,
    documents,
    uses: { most: async () => used },
    log,
    ...options,
  });
/** As anybody asks it, later. */
const ask = (first: number) =>
  app.fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ documentId: 'roadmap', variables: { organizationId, first } }),
  });

describe('the warm-up', () => {
  test('makes the answers that are asked for most, so that the first who asks waits for no statement', async () => {
    await start([page(1), page(2), page(2)]);
    expect(lines).toMatchObject([{ kept: 2, of: 2, milliseconds: expect.any(Number) }]);
    const statements = await countStatements(app, async () => {
      for (const first of [1, 2]) {
        const answer = await ask(first);
        expect(await answer.json()).toEqual({ data: { publicFeatures: { nodes: [{ name: 'shown' }] } } });
        expect(answer.headers.get('cache-status')).toContain('hit');
      }
    });
    expect(statements).toEqual([]);
    expect(await countStatements(app, () => ask(3))).not.toEqual([]);
  });

  test('runs what the manifest lists, also without anything learnt', async () => {
    await start([], { documents: documentsOf([{ organizationId, first: 4 }]), uses: null });
    expect(lines).toMatchObject([{ kept: 1, of: 1 }]);
    expect((await ask(4)).headers.get('cache-status')).toContain('hit');
  });

  test('runs only queries of the manifest whose answers are public, whatever it is told', async () => {
    const used = [use(own), use(change), use(several), use('{ __typename }'), use(broken, { organizationId }), page(5)];
    const statements = await countStatements(app, () => start(used));
    expect(statements.filter((name) => /insert|user/i.test(name))).toEqual([]);
    // What the schema no longer has is run, and refused.
    expect(lines).toMatchObject([{ kept: 1, of: 2 }]);
  });

  test('takes nothing from anybody’s quota', async () => {
    const remaining = async () => Number(/;r=(\d+);/.exec((await ask(1)).headers.get('ratelimit')!)![1]);
    const [before, step] = [await remaining(), await remaining()];
    await start([page(6), page(7), page(8)]);
    expect(lines).toMatchObject([{ kept: 3 }]);
    expect(await remaining()).toBe(step - (before - step));
  });

  test('is over when its time is, and fails nothing', async () => {
    let asked = 0;
    const never = () => {
      asked += 1;
      return new Promise<Response>(() => undefined);
    };
    const used = Array.from({ length: 50 }, (_, first) => page(first));
    await start(used, { fetch: never, timeoutMs: 50, concurrency: 3 });
    expect([asked, lines]).toMatchObject([3, [{ kept: 0, of: 50 }]]);
    await start(used, { fetch: () => Promise.reject(new Error('no')) });
    expect(lines.slice(1)).toMatchObject([{ msg: 'the warm-up failed' }, { kept: 0, of: 50 }]);
  });

  test('says nothing when there is nothing to do', async () => {
    await start([]);
    await start([use(own)]);
    expect(lines).toEqual([]);
  });

  test('is no word of a client: what it sends is charged for', async () => {
    const answer = await app.fetch('/graphql?isWarmUp=true', { headers: { 'x-warm-up': 'true', isWarmUp: 'true' } });
    expect(answer.headers.get('ratelimit')).not.toBeNull();
  });
});
