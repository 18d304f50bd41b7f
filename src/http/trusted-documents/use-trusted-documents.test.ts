import { type Logger, pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp, type TestAppOptions, viewerHeader } from '../../testing/test-app.ts';
import { createRateLimiter } from '../rate-limit/rate-limiter.ts';
import { sha256Of } from './manifest.ts';
import { indexDocuments } from './trusted-documents.ts';
import type { TrustMode } from './use-trusted-documents.ts';

const viewerName = 'query ViewerName($id: ID = "x") { viewer { name } node(id: $id) @include(if: false) { id } }';
const createFeature = 'mutation CreateFeature { createFeature(input: { name: "by its id" }) { feature { name } } }';
const untrusted = 'query Untrusted { viewer { email } }';
const trustedDocuments = indexDocuments(
  Object.entries({
    name: viewerName,
    create: createFeature,
    several: 'query A { a: __typename } query B { b: __typename }',
  }).map(([id, body]) => ({ id, sha256: sha256Of(body), body })),
);

const lines: { msg: string; sha256?: string; operation?: string }[] = [];
const log: Logger = pino({ level: 'warn' }, { write: (line) => lines.push(JSON.parse(line)) });
const apps = new Map<string, TestApp>();

beforeAll(async () => {
  const open = async (name: string, settings: NonNullable<TestAppOptions['settings']>) =>
    apps.set(name, await createTestApp({ settings, trustedDocuments, log }));
  for (const mode of ['off', 'log', 'only'] satisfies TrustMode[]) await open(mode, { trustedDocuments: mode });
  const quotas = { viewer: null, address: { points: 1_000, windowSeconds: 60, isWarnOnly: false } };
  const rateLimiter = createRateLimiter({ rateLimits: quotas, redis: null, log, registry: new Registry() });
  apps.set('limited', await createTestApp({ trustedDocuments, rateLimiter }));
  await open('viewers', { documentRegistration: 'viewers' });
  await open('unregistered', { documentRegistration: 'off' });
});

afterAll(async () => {
  for (const app of apps.values()) await app.close();
});

// biome-ignore lint/suspicious/noExplicitAny: read by name
type Answer = { status: number; cacheControl: string | null; remaining: number; body: any };

const answerOf = async (response: Response): Promise<Answer> => ({
  status: response.status,
  cacheControl: response.headers.get('cache-control'),
  remaining: Number(/;r=(\d+);/.exec(response.headers.get('ratelimit') ?? '')?.[1]),
  body: await response.json(),
});
const accept = 'application/graphql-response+json';
const post = async (mode: string, body: unknown, { path = '/graphql', headers = {} } = {}) =>
  answerOf(
    await apps.get(mode)!.fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept, ...headers },
      body: JSON.stringify(body),
    }),
  );
const get = async (mode: string, given: Record<string, string>) =>
  answerOf(await apps.get(mode)!.fetch(`/graphql?${new URLSearchParams(given)}`, { headers: { accept } }));
const persisted = (text: string, others = {}) => ({
  persistedQuery: { version: 1, sha256Hash: sha256Of(text), ...others },
});
const codeOf = ({ body }: Answer) => body.errors?.[0].extensions.code;
const untrustedCount = async (mode: string) =>
  (await apps.get(mode)!.registry.getSingleMetric('tributary_untrusted_operations_total')!.get()).values[0]!.value;

describe('a document', () => {
  test.each(['name', sha256Of(viewerName), `sha256:${sha256Of(viewerName)}`])(
    'runs by its id %s',
    async (documentId) => {
      for (const mode of ['off', 'log', 'only']) {
        for (const answer of [await post(mode, { documentId, query: null }), await get(mode, { documentId })]) {
          expect([answer.status, Object.keys(answer.body.data.viewer)]).toEqual([200, ['name']]);
        }
      }
    },
  );

  test('runs by Apollo’s hash, by POST and GET', async () => {
    const extensions = persisted(viewerName);
    expect((await post('only', { extensions })).body.data.viewer.name).toBeTypeOf('string');
    expect((await get('only', { extensions: JSON.stringify(extensions) })).body.data.viewer.name).toBeTypeOf('string');
    expect((await post('only', { query: viewerName, extensions })).body.data.viewer.name).toBeTypeOf('string');
  });

  test('takes variables and the name of an operation', async () => {
    const given = { documentId: 'several', operationName: 'B', variables: {} };
    expect((await post('only', given)).body.data).toEqual({ b: 'Query' });
    expect((await get('only', { ...given, variables: '{}' })).body.data).toEqual({ b: 'Query' });
    expect(codeOf(await post('only', { documentId: 'name', variables: [1] }))).toBe('BAD_USER_INPUT');
  });

  test('of a mutation does not run by GET', async () => {
    expect((await get('only', { documentId: 'create' })).status).toBe(405);
    expect((await post('only', { documentId: 'create' })).body.data.createFeature.feature.name).toBe('by its id');
  });

  test.each(['__proto__', 'constructor', 'toString', 'nothing', sha256Of('nothing'), 'x'.repeat(200)])(
    'is not found by the id %s',
    async (documentId) => {
      for (const answer of [await post('off', { documentId }), await get('only', { documentId })]) {
        expect([answer.status, codeOf(answer), answer.body.errors[0].message, answer.cacheControl]).toEqual([
          404,
          'PERSISTED_QUERY_NOT_FOUND',
          'PersistedQueryNotFound',
          'no-store',
        ]);
      }
    },
  );

  test('that is not found costs what the smallest query does, and others that fail cost more', async () => {
    const unknown = { extensions: persisted('{ unknown }') };
    const smallest = { documentId: 'several', operationName: 'A' };
    const asked = [unknown, { documentId: 'nothing' }, smallest, { documentId: 5 }];
    const remaining: number[] = [];
    for (const body of asked) remaining.push((await post('limited', body)).remaining);
    expect(remaining).toEqual([999, 998, 997, 977]);
    const plain = { headers: { accept: 'application/json' } };
    expect((await post('limited', unknown, plain)).remaining).toBe(976);
  });

  test('that is not found is a 200 to clients that know application/json only', async () => {
    const answer = await post('off', { documentId: 'nothing' }, { headers: { accept: 'application/json' } });
    expect([answer.status, codeOf(answer)]).toEqual([200, 'PERSISTED_QUERY_NOT_FOUND']);
  });

  test.each([
    [{ documentId: 5 }, 'documentId'],
    [{ documentId: '' }, 'documentId'],
    [{ documentId: 'x'.repeat(201) }, 'documentId'],
    [{ documentId: 'sha256:abc' }, 'documentId'],
    [{ documentId: 'name', query: viewerName }, 'documentId'],
    [{ documentId: 'name', extensions: persisted(viewerName) }, 'documentId'],
    [{ extensions: persisted(viewerName, { version: 2 }) }, 'extensions.persistedQuery.version'],
    [{ extensions: { persistedQuery: 'x' } }, 'extensions.persistedQuery.version'],
    [{ extensions: persisted(viewerName, { sha256Hash: '__proto__' }) }, 'extensions.persistedQuery.sha256Hash'],
    [{ extensions: persisted(viewerName), query: untrusted }, 'extensions.persistedQuery.sha256Hash'],
    [{ extensions: persisted('other'), query: untrusted }, 'extensions.persistedQuery.sha256Hash'],
  ])('is refused as %j', async (given, path) => {
    const answer = await post('off', given);
    expect([answer.status, codeOf(answer), answer.body.errors[0].extensions.issues[0].path]).toEqual([
      400,
      'BAD_USER_INPUT',
      path,
    ]);
  });

  test('has one id only', async () => {
    for (const answer of [
      await post('off', { documentId: 'name' }, { path: '/graphql?documentId=name' }),
      answerOf(await apps.get('off')!.fetch('/graphql?documentId=name&documentId=create')),
    ]) {
      expect([(await answer).status, codeOf(await answer)]).toEqual([400, 'BAD_USER_INPUT']);
    }
  });
});

describe('registration', () => {
  const register = (mode: string, query: string, headers = {}) =>
    post(mode, { query, extensions: persisted(query) }, { headers });
  const ask = (mode: string, query: string) => post(mode, { extensions: persisted(query) });

  test('makes a document known by its hash', async () => {
    const query = 'query Registered { viewer { id } }';
    expect(codeOf(await ask('off', query))).toBe('PERSISTED_QUERY_NOT_FOUND');
    const answer = await register('off', query);
    expect(answer.status).toBe(200);
    expect((await ask('off', query)).body).toEqual(answer.body);
    expect((await get('off', { documentId: sha256Of(query) })).body).toEqual(answer.body);
  });

  test('does not take documents that are not valid, or whose hash is another’s', async () => {
    for (const query of ['{ nothing }', '{ viewer {', '{']) {
      expect((await register('off', query)).status).toBe(400);
      expect(codeOf(await ask('off', query))).toBe('PERSISTED_QUERY_NOT_FOUND');
    }
    const query = '{ first: __typename }';
    await post('off', { query: '{ second: __typename }', extensions: persisted(query) });
    expect(codeOf(await ask('off', query))).toBe('PERSISTED_QUERY_NOT_FOUND');
  });

  test('can be left to viewers, or be off: the operation runs all the same', async () => {
    const query = 'query ForViewers { __typename }';
    const anonymous = { [viewerHeader]: 'null' };
    expect((await register('viewers', query, anonymous)).status).toBe(200);
    expect(codeOf(await ask('viewers', query))).toBe('PERSISTED_QUERY_NOT_FOUND');
    expect((await register('viewers', query)).status).toBe(200);
    expect((await ask('viewers', query)).status).toBe(200);
    expect((await register('unregistered', query)).status).toBe(200);
    expect(codeOf(await ask('unregistered', query))).toBe('PERSISTED_QUERY_NOT_FOUND');
  });

  test('is refused where only trusted documents run', async () => {
    const query = 'query Refused { __typename }';
    expect(codeOf(await ask('only', query))).toBe('PERSISTED_QUERY_NOT_FOUND');
    expect(codeOf(await register('only', query))).toBe('PERSISTED_QUERY_ONLY');
    expect(codeOf(await ask('only', query))).toBe('PERSISTED_QUERY_NOT_FOUND');
  });
});

describe('an operation that is not in the manifest', () => {
  test('runs where it may, and nothing is counted', async () => {
    expect((await post('off', { query: untrusted })).status).toBe(200);
    expect(await untrustedCount('off')).toBe(0);
  });

  test('is counted each time and logged once where that is asked for', async () => {
    lines.length = 0;
    const before = await untrustedCount('log');
    for (let times = 0; times < 3; times++) expect((await post('log', { query: untrusted })).status).toBe(200);
    expect((await post('log', { query: viewerName })).status).toBe(200);
    expect(await untrustedCount('log')).toBe(before + 3);
    expect(lines).toEqual([
      expect.objectContaining({
        sha256: sha256Of(untrusted),
        operation: 'Untrusted',
        msg: expect.stringContaining('trusted'),
      }),
    ]);
  });

  test('is logged for so many texts only', async () => {
    lines.length = 0;
    for (let number = 0; number < 1_010; number++) await post('log', { query: `query N${number} { __typename }` });
    expect(lines.length).toBeLessThanOrEqual(1_001);
    expect(lines.at(-1)!.msg).toContain('counted only');
  });

  test('is refused before it is parsed where only trusted ones run', async () => {
    const before = await untrustedCount('only');
    for (const query of [untrusted, '{ not even GraphQL', `${viewerName} `]) {
      for (const answer of [await post('only', { query }), await get('only', { query })]) {
        expect([answer.status, codeOf(answer)]).toEqual([403, 'PERSISTED_QUERY_ONLY']);
      }
    }
    expect(await untrustedCount('only')).toBe(before + 6);
    expect((await post('only', { query: viewerName })).status).toBe(200);
  });

  test('has no way round: neither no parameters nor a query that is no text', async () => {
    for (const body of [{}, { query: [untrusted] }, { query: { body: untrusted } }, [], [{ query: untrusted }], null]) {
      const { status, body: answer } = await post('only', body);
      expect([status, answer.data]).toEqual([400, undefined]);
    }
  });
});
