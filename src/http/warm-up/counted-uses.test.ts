import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { AnswerCache } from '../../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../../cache/invalidation-log.ts';
import type { Outcome } from '../../cache/operation-record.ts';
import { createRedis, type Redis } from '../../redis/client.ts';
import { encodeGlobalId } from '../../schema/global-id.ts';
import { type ServedApp, serveApp } from '../../testing/serve-app.ts';
import { createTestApp, type TestApp } from '../../testing/test-app.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../../testing/test-redis.ts';
import { parseManifest, sha256Of } from '../trusted-documents/manifest.ts';
import { indexDocuments } from '../trusted-documents/trusted-documents.ts';
import { PublicUses } from './public-uses.ts';

const roadmap = `query Roadmap($organizationId: ID!, $first: Int!) {
  publicFeatures(organizationId: $organizationId, first: $first) { nodes { name } }
}`;
const own = 'query Own { viewer { name } }';

describe.skipIf(!hasRedisServer())('what a server answers', () => {
  let server: TestRedis;
  let redis: Redis;
  let uses: PublicUses;
  let app: TestApp;
  let served: ServedApp;
  const outcomes: Outcome[] = [];

  beforeAll(async () => {
    server = await startTestRedis();
    redis = createRedis({ url: server.url, log: pino({ level: 'silent' }), registry: new Registry() });
    await vi.waitFor(() => expect(redis.isUp).toBe(true), { timeout: 10_000 });
    const trustedDocuments = indexDocuments(parseManifest(JSON.stringify({ roadmap, own })));
    uses = new PublicUses({ redis, documents: trustedDocuments, reportMs: 3_600_000 });
    const openLog = createLocalInvalidationLog;
    const cache = new AnswerCache({ openLog, maxBytes: 2 ** 24, onOutcome: (outcome) => outcomes.push(outcome) });
    app = await createTestApp({ cache, trustedDocuments, publicUses: uses });
    served = await serveApp(app);
  });

  afterAll(async () => {
    await served.close();
    await uses.close();
    redis.close();
    await server.stop();
  });

  test('is counted on the long and on the hit path, by GET and by POST, where it is everybody’s', async () => {
    const organizationId = encodeGlobalId('Organization', app.viewer.organizationId);
    const variables = (first: number) => ({ organizationId, first });
    const get = (id: string, given: object) =>
      fetch(`${served.origin}/graphql?documentId=${id}&variables=${encodeURIComponent(JSON.stringify(given))}`);
    const post = (body: object) =>
      fetch(`${served.origin}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    for (let times = 0; times < 4; times++) await (await get('roadmap', variables(1))).text();
    for (let times = 0; times < 3; times++) await (await get(sha256Of(roadmap), variables(1))).text();
    for (let times = 0; times < 5; times++) {
      await (await post({ query: roadmap, variables: { first: 2, organizationId, unknown: times } })).text();
    }
    for (let times = 0; times < 9; times++) {
      await (await get('own', {})).text();
      await (await post({ query: `${roadmap} `, variables: variables(3) })).text();
    }
    expect(outcomes.filter((outcome) => outcome === 'hit').length).toBeGreaterThan(20);
    await uses.report();
    const key = (await redis.run((client) => client.keys('*')))[0]!;
    const kept = await redis.run((client) => client.zRangeWithScores(key, 0, -1, { REV: true }));
    const value = (first: number) => `${sha256Of(roadmap)} ${JSON.stringify({ first, organizationId })}`;
    expect(kept).toEqual([
      { value: value(1), score: 7 },
      { value: value(2), score: 5 },
    ]);
  });
});
