import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerCache } from '../../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../../cache/invalidation-log.ts';
import { createFeatures } from '../../testing/seed-builders.ts';
import { type ServedApp, serveApp } from '../../testing/serve-app.ts';
import { createTestApp, type TestApp } from '../../testing/test-app.ts';

const origin = 'https://app.example.com';
const large = '{ features(first: 30, orderBy: { field: NAME, direction: ASC }) { nodes { id name } } }';
const small = '{ features(first: 1) { nodes { name } } }';

let app: TestApp;
let served: ServedApp;
let longWays = 0;
let name = 0;

beforeAll(async () => {
  app = await createTestApp({ cache: new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 24 }) });
  const graphql = (...exchange: Parameters<TestApp['handler']>) => {
    longWays += 1;
    return app.handler(...exchange);
  };
  served = await serveApp(app, () => false, {
    graphql,
    directPath: undefined,
    corsOrigins: [origin],
    trustedProxies: 1,
  });
  const rows = Array.from({ length: 30 }, (_, index) => ({ name: `Feature ${index} of many` }));
  await createFeatures(app.database.pool, app.viewer, rows);
});

beforeEach(() => {
  longWays = 0;
});

afterAll(() => served.close());

/** The bytes as they come, which fetch would decode. */
async function ask(
  method: 'GET' | 'POST',
  headers: Record<string, string> = {},
  query = large,
): Promise<{ status: number; headers: Record<string, string>; bytes: Buffer }> {
  const body = method === 'POST' ? JSON.stringify({ query }) : '';
  const type = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const sent = request(`${served.origin}/graphql${method === 'GET' ? `?${new URLSearchParams({ query })}` : ''}`, {
    method,
    headers: { ...(method === 'POST' && type), ...headers },
  }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks = await response.toArray();
  return {
    status: response.statusCode!,
    headers: response.headers as Record<string, string>,
    bytes: Buffer.concat(chunks),
  };
}

/** A write: what is kept of features goes, and comes again as it was, for the new one sorts behind what is read. */
const change = () => app.query(`mutation { createFeature(input: { name: "Later ${name++}" }) { feature { id } } }`);
const decode: Record<string, (bytes: Buffer) => Buffer> = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
  identity: (bytes) => bytes,
};
const withoutMoment = ({ status, bytes, headers }: Awaited<ReturnType<typeof ask>>) => {
  const { date, 'x-request-id': requestId, age, 'cache-status': cacheStatus, ...rest } = headers;
  return { status, bytes: bytes.toString('latin1'), rest };
};

describe.each(['br', 'gzip', 'identity'])('an answer that is kept, by %s', (encoding) => {
  const accept = { 'accept-encoding': encoding };

  test.each(['GET', 'POST'] as const)(
    'is the same by both ways, whole and of the length it says: %s',
    async (method) => {
      await change();
      const plain = (await ask(method)).bytes;
      expect(JSON.parse(plain.toString()).data.features.nodes).toHaveLength(30);
      await change();
      longWays = 0;
      const first = await ask(method, accept);
      const second = await ask(method, accept);
      expect(longWays).toBe(1);
      expect(withoutMoment(second)).toEqual(withoutMoment(first));
      expect(first.headers['content-encoding'] ?? 'identity').toBe(encoding);
      expect(Number(first.headers['content-length'])).toBe(first.bytes.length);
      expect(JSON.parse(decode[encoding]!(first.bytes).toString()).data.features.nodes).toHaveLength(30);
      expect(decode[encoding]!(first.bytes).length).toBeGreaterThan(plain.length / 2);
      expect(second.headers['cache-status']).toContain('hit');
    },
  );

  test('has an ETag of its own, which every form is known by', async () => {
    const { headers } = await ask('GET', accept);
    expect(headers.etag).toMatch(encoding === 'identity' ? /^"[\w-]{24}"$/ : RegExp(`^"[\\w-]{24}-${encoding}"$`));
    for (const asked of ['br', 'gzip', 'identity']) {
      for (const by of [{}, { 'x-request-timeout-ms': '5000' }]) {
        const unchanged = await ask('GET', { 'accept-encoding': asked, 'if-none-match': `W/${headers.etag}`, ...by });
        expect(unchanged.status).toBe(304);
        expect(unchanged.bytes).toHaveLength(0);
        // Of the one the client has: by it the cache in between finds what it may go on using.
        expect(unchanged.headers).toMatchObject({ etag: headers.etag, vary: headers.vary });
        expect(unchanged.headers).not.toHaveProperty('content-encoding');
      }
    }
  });
});

describe('a client that names several forms', () => {
  test.each(['br', 'gzip', 'identity'])('is told of the one it would get now: %s', async (encoding) => {
    const etags = await Promise.all(
      ['identity', 'gzip', 'br'].map(async (form) => (await ask('GET', { 'accept-encoding': form })).headers.etag!),
    );
    const own = (await ask('GET', { 'accept-encoding': encoding })).headers.etag;
    for (const ifNoneMatch of [etags.join(', '), '*']) {
      const { status, headers } = await ask('GET', { 'accept-encoding': encoding, 'if-none-match': ifNoneMatch });
      expect([status, headers.etag]).toEqual([304, own]);
    }
  });
});

describe('what answers vary by', () => {
  test.each(['GET', 'POST'] as const)('is named in both ways, beside the origin of pages: %s', async (method) => {
    await change();
    for (const by of ['the long way', 'the hit path']) {
      const { headers } = await ask(method, { origin });
      expect([by, headers.vary, headers['access-control-allow-origin']]).toEqual([
        by,
        'Origin, accept, accept-encoding, authorization',
        origin,
      ]);
    }
    expect(longWays).toBe(1);
  });
});

describe('what is small', () => {
  test('is sent as it is, unless that is refused', async () => {
    for (const by of ['the long way', 'the hit path']) {
      const plain = await ask('GET', { 'accept-encoding': 'br' }, small);
      expect([by, plain.headers['content-encoding'], plain.headers.vary?.includes('accept-encoding')]).toEqual([
        by,
        undefined,
        true,
      ]);
      const refused = await ask('GET', { 'accept-encoding': 'br, identity;q=0' }, small);
      expect(refused.headers['content-encoding']).toBe('br');
      expect(brotliDecompressSync(refused.bytes)).toEqual(plain.bytes);
    }
  });
});

test('the same bytes are compressed once, also after a write that did not change them', async () => {
  const bodies = app.hitPath!.encodedBodies;
  await ask('GET', { 'accept-encoding': 'br' });
  const { count } = bodies;
  for (let time = 0; time < 3; time++) {
    await change();
    longWays = 0;
    await ask('GET', { 'accept-encoding': 'br' });
    expect(longWays).toBe(1);
  }
  expect(bodies.count).toBe(count);
});

test('HTTPS in front is told to browsers by both ways', async () => {
  await change();
  const answers = [];
  for (let time = 0; time < 2; time++) answers.push(await ask('GET', { 'x-forwarded-proto': 'https' }));
  expect(longWays).toBe(1);
  for (const { headers } of answers) expect(headers['strict-transport-security']).toContain('max-age=31536000');
});
