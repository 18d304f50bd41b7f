import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AnswerCache } from '../../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../../cache/invalidation-log.ts';
import { readConfig } from '../../config.ts';
import type { Dependencies, Viewer } from '../../context.ts';
import type { CompileOperation } from '../../execution/compile-operation.ts';
import { schema } from '../../schema/index.ts';
import { createRandom } from '../../seed/random.ts';
import { createFullOrganization } from '../../testing/full-organization.ts';
import { createOrganization } from '../../testing/seed-builders.ts';
import { serveApp } from '../../testing/serve-app.ts';
import { unlimitedCost, viewerHeader } from '../../testing/test-app.ts';
import { type AppOptions, createApp } from '../app.ts';
import { exampleOperations } from '../example-operations.ts';
import { HitPath } from '../hit-path.ts';
import { randomQuery } from '../limits/testing-random-query.ts';
import { createDirectServer, type DirectServer, type Received, type Sent, send } from './testing-direct-server.ts';

/** One database behind four servers: with the direct path, without it, and both again with a cache of their own. */
let direct: DirectServer;
let reference: string;
let keeping: string;
let keepingReference: string;
let lent: Dependencies;
const closing: (() => Promise<unknown> | unknown)[] = [];
let viewers: Record<string, Viewer | null>;

const origin = 'https://page.example';
const now = new Date('2024-10-27T00:00:00Z');
const listed = { corsOrigins: [origin] };

/** Another server over the same database. */
async function serve(options: Partial<AppOptions>, hasDirectPath: boolean): Promise<string> {
  const { handler, directPath } = createApp({
    dependencies: lent,
    log: pino({ level: 'silent' }),
    settings: { ...readConfig({ NODE_ENV: 'test' }), ...unlimitedCost },
    registry: new Registry(),
    ...options,
  });
  const hitPath = hasDirectPath ? options.answers?.hitPath : undefined;
  const ways = { handler, hitPath, directPath: hasDirectPath ? directPath : undefined, close: async () => {} };
  const served = await serveApp({ ...direct.app, ...ways }, () => false, listed);
  closing.push(() => served.close());
  return served.origin;
}

beforeAll(async () => {
  direct = await createDirectServer(
    {
      settings: unlimitedCost,
      wrapDependencies: (given) => {
        lent = { ...given, predictions: { record() {} } };
        return lent;
      },
    },
    listed,
  );
  closing.push(() => direct.close());
  reference = await serve({}, false);
  const serveKeeping = (hasWays: boolean) => {
    const cache = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 24 });
    const hitPath = new HitPath({ cache, authenticate: lent.authenticate, trustedProxies: 0 });
    return serve({ answers: { cache, hitPath } }, hasWays);
  };
  keeping = await serveKeeping(true);
  keepingReference = await serveKeeping(false);
  const { pool } = direct.app.database;
  const owner = await createFullOrganization(pool, { word: 'quokka', level: 100, count: 12 });
  viewers = {
    owner,
    reader: { ...owner, scopes: ['read'] },
    stranger: await createOrganization(pool),
    writer: { ...owner, scopes: ['write'] },
    nobody: null,
  };
}, 60_000);

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Question {
  query: string;
  variables: Record<string, unknown>;
  operationName?: string;
}

const byId =
  'query One($id: ID!, $withOwner: Boolean = true) { feature(id: $id) { id name description status createdAt owner @include(if: $withOwner) { id name email } } }';
const page = `query Page($first: Int, $after: String, $filter: FeatureFilter, $orderBy: FeatureOrder) {
  features(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
    totalCount nodes { ...Named testCases(first: 2) { nodes { id name status } } deployments { nodes { id version createdAt } } }
    pageInfo { endCursor hasNextPage }
  }
}
fragment Named on Feature { __typename id label: name status complexityPoints owner { id name } }`;
const several = 'query A { viewer { name } } query B { features(first: 1) { nodes { id } } }';

async function questions(): Promise<Question[]> {
  const asOwner = { [viewerHeader]: JSON.stringify(viewers.owner) };
  const { data } = await direct.query('{ features(first: 5) { nodes { id } edges { cursor } } }', {}, asOwner);
  const ids: string[] = data.features.nodes.map(({ id }: { id: string }) => id);
  return [
    ...ids.slice(0, 2).map((id) => ({ query: byId, variables: { id } })),
    { query: byId, variables: { id: ids[0], withOwner: false, unknown: 1 } },
    { query: byId, variables: { id: null } },
    { query: page, variables: { first: 3 } },
    { query: page, variables: { first: 3, after: data.features.edges[2].cursor } },
    { query: page, variables: { filter: { status: 'IN_PROGRESS' }, orderBy: { field: 'NAME', direction: 'DESC' } } },
    { query: page, variables: { first: 101 } },
    { query: several, variables: {}, operationName: 'A' },
    { query: several, variables: {}, operationName: 'B' },
    {
      query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Feature { name } } }',
      variables: { ids },
    },
    {
      query: '{ conversations(first: 3) { nodes { title user { name } messages(first: 2) { nodes { content } } } } }',
      variables: {},
    },
    ...exampleOperations(now)
      .filter(({ name }) => !name.startsWith('Create'))
      .map(({ query }) => ({ query, variables: {} })),
    ...Array.from({ length: 30 }, (_unused, index) => ({ query: page, variables: pageVariables(`page ${index}`) })),
    ...Array.from({ length: 20 }, (_unused, seed) => {
      const { document: query, variables } = randomQuery(schema, `direct ${seed}`, seed % 2 ? 'variable' : 'default');
      return { query, variables };
    }),
  ];
}

function pageVariables(seed: string) {
  const random = createRandom(seed);
  const field = random.pick(['NAME', 'CREATED_AT', 'COMPLEXITY_POINTS']);
  return {
    first: random.integer(0, 12),
    ...(random.chance(0.5) && { filter: { status: random.pick(['PLANNED', 'IN_PROGRESS', 'DONE']) } }),
    ...(random.chance(0.7) && { orderBy: { field, direction: random.pick(['ASC', 'DESC']) } }),
  };
}

const accepts = [undefined, '*/*', 'application/json', 'application/graphql-response+json, application/json;q=0.9'];
const encodings = [undefined, 'gzip', 'br, gzip', 'identity;q=0'];

function requestOf({ query, variables, operationName }: Question, viewer: Viewer | null, index: number): Sent {
  const accept = accepts[index % accepts.length];
  const encoding = encodings[(index >> 2) % encodings.length];
  const headers = {
    [viewerHeader]: JSON.stringify(viewer),
    ...(accept && { accept }),
    ...(encoding && { 'accept-encoding': encoding }),
    ...(index % 3 === 0 && { origin }),
  };
  const isGet = index % 2 === 0 && query.length < 3_000;
  if (!isGet) return { headers, body: { query, variables, ...(operationName && { operationName }) } };
  const given = { query, variables: JSON.stringify(variables), ...(operationName && { operationName }) };
  return { method: 'GET', path: `/graphql?${new URLSearchParams(given)}`, headers };
}

/** Without what differs from one request to the next. */
function comparable({ status, headers, body }: Received) {
  const { date, 'x-request-id': requestId, ...rest } = headers;
  expect(requestId).toMatch(/^[\w-]{8,64}$/);
  const coding = headers['content-encoding'];
  const bytes = coding === 'br' ? brotliDecompressSync(body) : coding === 'gzip' ? gunzipSync(body) : body;
  const text = bytes.toString().replaceAll(requestId!, 'ID');
  // An error has the id of its request in it, so that it is compressed to another length.
  if (coding && text.includes('"errors":')) rest['content-length'] = 'any';
  return { status, headers: rest, text };
}

/** How long an answer is kept is chance. */
function withoutTimes({ status, headers, text }: ReturnType<typeof comparable>) {
  const { age, ...rest } = headers;
  for (const name of ['cache-status', 'cache-control']) {
    if (rest[name]) rest[name] = rest[name].replace(/(ttl|s-maxage)=\d+/, '$1=N');
  }
  return { status, headers: rest, hasAge: age !== undefined, text };
}

test('every answer is that of the long way: its status, its headers, its bytes', { timeout: 120_000 }, async () => {
  const random = createRandom('direct');
  let asked = 0;
  let directly = 0;
  let succeeded = 0;
  for (const [index, question] of (await questions()).entries()) {
    for (const [who, viewer] of Object.entries(viewers)) {
      // Most of what others ask is refused.
      if (index % 6 > 0 && who !== 'owner' && who !== 'reader') continue;
      const sent = requestOf(question, viewer, random.integer(0, 95));
      const label = `${who}: ${JSON.stringify(sent)}`;
      const expected = comparable(await send(reference, sent));
      // Learns its operation, and its Accept.
      await direct.ask(sent);
      direct.takeLongWays();
      expect(comparable(await direct.ask(sent)), label).toEqual(expected);
      const isDirect = direct.takeLongWays() === 0;
      for (let time = 0; time < 2; time++) {
        const kept = withoutTimes(comparable(await send(keepingReference, sent)));
        expect(withoutTimes(comparable(await send(keeping, sent))), label).toEqual(kept);
      }
      asked += 1;
      if (isDirect) directly += 1;
      if (expected.status === 200 && !expected.text.includes('"errors":')) succeeded += 1;
      if (isDirect) expect(expected.text, label).not.toContain('"errors":');
    }
  }
  console.log(`${asked} requests, ${succeeded} without an error, ${directly} of them directly`);
  expect(directly).toBeGreaterThan(80);
  expect(directly).toBe(succeeded);
});

test('fields that were answered as earlier questions were are told of, unless the client wants new answers', async () => {
  const seen: boolean[] = [];
  const compile: CompileOperation = () => async (context) => {
    seen.push(context.semanticCache === null);
    context.semanticHits.push({ path: ['viewer'], similarity: 0.98765, ageMs: 1_500 });
    return '{"data":{"viewer":null}}';
  };
  const semanticCache = {} as NonNullable<Dependencies['semanticCache']>;
  const server = await serve({ compile, dependencies: { ...lent, semanticCache } }, true);
  const body = { query: '{ viewer { id } }' };
  await send(server, { body });
  const { status, headers, body: bytes } = await send(server, { body });
  expect(JSON.parse(bytes.toString())).toEqual({
    data: { viewer: null },
    extensions: { semanticCache: [{ path: ['viewer'], similarity: 0.988, ageSeconds: 1 }] },
  });
  expect([status, headers['content-length']]).toEqual([200, String(bytes.length)]);
  await send(server, { body, headers: { 'cache-control': 'max-age=0, no-cache' } });
  expect(seen).toEqual([false, true]);
});

describe('a request goes the long way', () => {
  const text = '{ viewer { name } }';
  const learn = async (sent: Sent) => {
    await direct.ask({ body: { query: text } });
    await direct.ask({ method: 'GET', path: `/graphql?${new URLSearchParams({ query: text })}` });
    await direct.ask({ body: { query: text }, headers: sent.headers ?? {} });
    direct.takeLongWays();
  };
  const get = (parameters: Record<string, string>) => `/graphql?${new URLSearchParams(parameters)}`;

  test('the first time only', async () => {
    const query = 'query First { viewer { id } }';
    await learn({});
    await direct.ask({ body: { query } });
    expect(direct.takeLongWays()).toBe(1);
    await direct.ask({ body: { query } });
    await direct.ask({ method: 'GET', path: get({ query }) });
    expect(direct.takeLongWays()).toBe(0);
  });

  test.each<[string, Sent]>([
    ['another key', { body: { query: text, documents: [] } }],
    ['a list', { body: [{ query: text }] }],
    ['an empty name', { body: { query: text, operationName: '' } }],
    ['another name', { body: { query: text, operationName: 'Other' } }],
    ['a name that is a number', { body: { query: text, operationName: 1 } }],
    ['variables that are a list', { body: { query: text, variables: [] } }],
    ['variables that are a text', { method: 'GET', path: get({ query: text, variables: '"x"' }) }],
    ['variables that are no JSON', { method: 'GET', path: get({ query: text, variables: '{' }) }],
    ['extensions that are a list', { body: { query: text, extensions: [] } }],
    ['no JSON', { body: Buffer.from(`{"query":"${text}"`) }],
    ['no UTF-8', { body: Buffer.from(`{"query":"${text}","operationName":"\u00e9"}`, 'latin1') }],
    ['a document and an id', { body: { query: text, documentId: 'x' } }],
    ['two ids', { method: 'GET', path: '/graphql?documentId=x&documentId=y' }],
    ['a hash of another form', { body: { query: text, extensions: { persistedQuery: { version: 2 } } } }],
    ['a mutation by GET', { method: 'GET', path: get({ query: 'mutation { __typename }' }) }],
    ['introspection', { body: { query: '{ __schema { queryType { name } } }' } }],
    ['a time of its own', { body: { query: text }, headers: { 'x-request-timeout-ms': '5000' } }],
    ['the report of its cost', { body: { query: text }, headers: { 'x-cost': 'report' } }],
    ['a type that no result has', { body: { query: text }, headers: { accept: 'text/csv' } }],
    ['a stream', { body: { query: text }, headers: { accept: 'text/event-stream' } }],
    [
      'a type with parameters',
      { body: { query: text }, headers: { 'content-type': 'application/json; charset=utf-8' } },
    ],
    ['a page', { method: 'GET', path: get({ query: text }), headers: { accept: 'text/html' } }],
    ['a body of more than 16 KiB', { body: { query: text, variables: { x: 'x'.repeat(20_000) } } }],
  ])('with %s, each time, and is answered as without the direct path', async (_what, sent) => {
    await learn(sent);
    const expected = comparable(await send(reference, sent));
    for (let time = 0; time < 2; time++) expect(comparable(await direct.ask(sent))).toEqual(expected);
    expect(direct.takeLongWays()).toBe(2);
  });

  test.each([
    ['nothing', { query: text, operationName: null, variables: null, extensions: null, documentId: null }],
    ['extensions of clients', { query: text, extensions: { clientLibrary: { name: 'apollo' } } }],
    ['variables it does not know', { query: text, variables: { x: 1 } }],
  ])('not for %s beside its document', async (_what, body) => {
    await learn({});
    expect(comparable(await direct.ask({ body }))).toEqual(comparable(await send(reference, { body })));
    expect(direct.takeLongWays()).toBe(0);
  });
});
