/** What other response caches got wrong, each by a test over sockets with real tokens; what is right is what an uncached server says. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../context.ts';
import type { SharedDatabase } from '../db/database.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import { type CachedServers, createCachedServers, signedHeaders } from '../testing/cached-servers.ts';
import { createConversation, createFeatures, createOrganization, createUser } from '../testing/seed-builders.ts';
import { sha256Of } from './trusted-documents/manifest.ts';
import { indexDocuments } from './trusted-documents/trusted-documents.ts';

const features = 'query Features($first: Int = 5) { features(first: $first) { totalCount nodes { id name } } }';
const rename =
  'mutation Rename($id: ID!, $name: String!) { updateFeature(input: { id: $id, name: $name }) { feature { name } } }';
const documents = { features, rename };

let servers: CachedServers;
let id: string;
/** Ada and her colleague, Ada without the right to write and without any, somebody of another organization, and nobody. */
let askers: [who: string, viewer: Viewer | null][];
let tokens: Map<string, Record<string, string>>;
/** While it is set, what the statement of this name has read waits before it is given on. */
let held: { name: string; hasRead: () => void; goOn: Promise<void> } | null = null;

function holding(database: SharedDatabase): SharedDatabase {
  return {
    run: (statement, values) => database.run(statement, values),
    transaction: (work) => database.transaction(work),
    within(bounds) {
      const inner = database.within(bounds);
      return {
        transaction: (work) => inner.transaction(work),
        async run(statement, values) {
          const rows = await inner.run(statement, values);
          if (held !== null && statement.name.startsWith(held.name)) {
            held.hasRead();
            await held.goOn;
          }
          return rows as never;
        },
      };
    },
  };
}

beforeAll(async () => {
  servers = await createCachedServers({
    trustedDocuments: indexDocuments(
      Object.entries(documents).map(([name, body]) => ({ id: name, sha256: sha256Of(body), body })),
    ),
    wrapDependencies: (given) => ({ ...given, database: holding(given.database) }),
  });
  const { app, issuer } = servers;
  const { pool } = app.database;
  const ada = app.viewer;
  const [feature] = await createFeatures(pool, ada, [{ name: 'Mine' }, { name: 'Also mine' }]);
  await createConversation(pool, ada, ['hello']);
  id = encodeGlobalId('Feature', feature!.id);
  const stranger = await createOrganization(pool);
  await createFeatures(pool, stranger, [{ name: 'Not yours' }]);
  askers = [
    ['Ada', ada],
    ['a colleague', { ...ada, userId: await createUser(pool, ada.organizationId, 'Bob') }],
    ['Ada who may only read', { ...ada, scopes: ['read'] }],
    ['Ada who may nothing', { ...ada, scopes: [] }],
    ['a stranger', stranger],
    ['nobody', null],
  ];
  tokens = new Map();
  for (const [who, viewer] of askers) tokens.set(who, await signedHeaders(issuer, viewer));
});

beforeEach(() => {
  servers.outcomes.length = 0;
});

afterAll(() => servers.close());

interface Question {
  query?: string;
  documentId?: string;
  variables?: object;
  operationName?: string;
}

interface Asking {
  method?: 'GET' | 'POST';
  path?: string;
  who?: string;
  headers?: Record<string, string>;
  origin?: string;
}

async function ask(question: Question, asking: Asking = {}) {
  const { method = 'GET', path = '/graphql', who = 'Ada', headers = {}, origin = servers.cached } = asking;
  const given = { accept: 'application/graphql-response+json', ...tokens.get(who), ...headers };
  const query = Object.entries(question).map(([key, value]) => [
    key,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  const response =
    method === 'GET'
      ? await fetch(`${origin}${path}?${new URLSearchParams(query)}`, { headers: given })
      : await fetch(`${origin}${path}`, {
          method,
          headers: { ...given, 'content-type': 'application/json' },
          body: JSON.stringify(question),
        });
  const text = await response.text();
  return { status: response.status, text, headers: Object.fromEntries(response.headers) };
}

const expectAsFresh = async (question: Question, asking: Asking, label: string) => {
  const requestId = { 'x-request-id': 'the-same-for-both' };
  const [kept, made] = await Promise.all(
    [servers.cached, servers.fresh].map((origin) => ask(question, { ...asking, headers: requestId, origin })),
  );
  expect([kept!.status, kept!.text], label).toEqual([made!.status, made!.text]);
};
const codeOf = (text: string) => JSON.parse(text).errors?.[0].extensions.code;
const renameTo = (name: string, asking: Asking = {}) =>
  ask({ query: rename, variables: { id, name } }, { method: 'POST', ...asking });
const nameOf = async (asking: Asking = {}) => {
  const { text } = await ask({ query: 'query ($id: ID!) { feature(id: $id) { name } }', variables: { id } }, asking);
  return JSON.parse(text).data.feature.name;
};

describe('11: a private field is cached as public when it is aliased, and there is no session', () => {
  const shared = 'feature: features(first: 1) { nodes { name } }';
  const several = 'query Own { viewer { id } } query Shared { features(first: 1) { nodes { name } } }';
  test.each<[string, Question]>([
    ['plainly', { query: '{ viewer { id name } }' }],
    ['behind an alias', { query: '{ me: viewer { i: id } }' }],
    ['under the name of a field that is shared', { query: '{ features: viewer { id } }' }],
    ['beside one that is shared', { query: `{ ${shared} viewer { id } }` }],
    [
      'in a named fragment',
      { query: 'query { ...F } fragment F on Query { viewer { ...U } } fragment U on User { id }' },
    ],
    ['in fragments that are inline', { query: `{ ${shared} ... on Query { ... { viewer { ... on User { id } } } } }` }],
    [
      'that is included',
      { query: `query ($a: Boolean!) { ${shared} viewer @include(if: $a) { id } }`, variables: { a: true } },
    ],
    [
      'that is not included',
      { query: `query ($a: Boolean!) { ${shared} viewer @include(if: $a) { id } }`, variables: { a: false } },
    ],
    [
      'that is skipped',
      { query: `query ($a: Boolean = true) { ${shared} viewer @skip(if: $a) { id } }`, variables: {} },
    ],
    [
      'that is not skipped',
      { query: `query ($a: Boolean = true) { ${shared} viewer @skip(if: $a) { id } }`, variables: { a: false } },
    ],
    ['in one of two operations', { query: several, operationName: 'Own' }],
    ['in the other one', { query: several, operationName: 'Shared' }],
    ['of the owner of what is shared', { query: '{ features(first: 2) { nodes { owner { id email } } } }' }],
    ['by its id', { documentId: 'features', variables: { first: 1 } }],
  ])('%s: each is given what is theirs, whoever asked before', async (_label, question) => {
    for (const method of ['GET', 'POST'] as const) {
      for (const round of [1, 2]) {
        for (const [who] of round === 1 ? askers : askers.toReversed()) {
          await expectAsFresh(question, { method, who }, `${who}, ${method}`);
        }
      }
    }
    expect(servers.outcomes).toContain('hit');
  });
});

describe('11: two questions that are one, and one that is two', () => {
  const query =
    'query Q($first: Int = 1, $filter: FeatureFilter) { features(first: $first, filter: $filter) { nodes { name } } }';
  const filter = { nameContains: 'mine', statusIn: ['PLANNED', 'DONE'] };
  const reversed = { statusIn: ['PLANNED', 'DONE'], nameContains: 'mine' };
  test.each<[string, object[]]>([
    [
      'variables in another order',
      [
        { first: 2, filter },
        { filter: reversed, first: 2 },
      ],
    ],
    ['a default left out, written out, and null', [{ filter }, { filter, first: 1 }, { filter, first: null }]],
    ['a list in another order', [{ filter }, { filter: { ...filter, statusIn: ['DONE', 'PLANNED'] } }]],
    ['a number, and a text of the same digits', [{ first: 1 }, { first: '1' }, { first: 1.5 }]],
    [
      'names that objects inherit',
      [{ filter: {} }, { filter: { constructor: 1 } }, { filter: JSON.parse('{"__proto__":{}}') }],
    ],
    ['a variable nobody declared', [{ first: 2 }, { first: 2, second: 3 }]],
  ])('%s', async (label, choices) => {
    for (const method of ['GET', 'POST'] as const) {
      for (const variables of [...choices, ...choices.toReversed(), ...choices]) {
        await expectAsFresh({ query, variables }, { method }, `${label}: ${JSON.stringify(variables)} by ${method}`);
      }
    }
  });

  test('another operation of the same document', async () => {
    const both = 'query A { features(first: 1) { nodes { name } } } query B { features(first: 2) { nodes { name } } }';
    for (const method of ['GET', 'POST'] as const) {
      for (const operationName of ['A', 'B', 'C', 'B', 'A', 'B']) {
        await expectAsFresh({ query: both, operationName }, { method }, `${operationName} by ${method}`);
      }
      await expectAsFresh({ query: both }, { method }, `none by ${method}`);
    }
  });

  test('a number too large for JavaScript is not null', async () => {
    const body = (first: string) => `{"query":${JSON.stringify(query)},"variables":{"first":${first}}}`;
    const post = async (origin: string, first: string) => {
      const headers = { 'content-type': 'application/json', 'x-request-id': 'the-same-for-both', ...tokens.get('Ada') };
      return (await fetch(`${origin}/graphql`, { method: 'POST', headers, body: body(first) })).text();
    };
    for (const first of ['null', '1e400', 'null', '-1e400']) {
      expect(await post(servers.cached, first), first).toBe(await post(servers.fresh, first));
    }
  });
});

test('11: a body that is the URL of a GET is no question', async () => {
  const question = { documentId: 'features', variables: { first: 4 } };
  await ask(question);
  expect((await ask(question)).headers['cache-status']).toMatch(/hit/);
  const url = new URLSearchParams({ documentId: 'features', variables: JSON.stringify(question.variables) });
  const response = await fetch(`${servers.cached}/graphql`, {
    method: 'POST',
    headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json', ...tokens.get('Ada') },
    body: `/graphql?${url}`,
  });
  expect(response.status).toBe(400);
});

describe('12: 304 to a mutation whose If-None-Match names what is cached, on any URL, before authentication', () => {
  let etag: string;

  beforeAll(async () => {
    await ask({ documentId: 'features' });
    etag = (await ask({ documentId: 'features' })).headers.etag!;
  });

  test('the ETag is quoted, and names nothing to other methods', async () => {
    expect(etag).toMatch(/^"[^"]+"$/);
    expect((await ask({ documentId: 'features' }, { headers: { 'if-none-match': etag } })).status).toBe(304);
    const unquoted = { 'if-none-match': etag.slice(1, -1) };
    expect((await ask({ documentId: 'features' }, { headers: unquoted })).status).toBe(200);
    for (const [question, path] of [
      [{ documentId: 'features' }, '/graphql'],
      [{ query: features }, '/graphql'],
      [{}, '/graphql/features'],
    ] as const) {
      const answer = await ask(question, { method: 'POST', path, headers: { 'if-none-match': `${etag}, *` } });
      expect([answer.status, answer.text.includes('Mine')]).toEqual([200, true]);
    }
  });

  test.each(['/graphql', '/graphql?', '/graphql?x=1', `/graphql?${new URLSearchParams({ operationName: 'Rename' })}`])(
    'a mutation POSTed to %s is done',
    async (path) => {
      for (const ifNoneMatch of [etag, `W/${etag}`, '*']) {
        const name = `${path} ${ifNoneMatch}`;
        const answer = await renameTo(name, { path, headers: { 'if-none-match': ifNoneMatch } });
        expect([answer.status, JSON.parse(answer.text).data]).toEqual([200, { updateFeature: { feature: { name } } }]);
        expect(await nameOf()).toBe(name);
      }
      const byId = { method: 'POST', path: '/graphql/rename', headers: { 'if-none-match': '*' } } as const;
      expect((await ask({ variables: { id, name: 'by its id' } }, byId)).status).toBe(200);
      expect(await nameOf()).toBe('by its id');
    },
  );

  test.each(['/healthz', '/readyz', '/metrics', '/', '/nothing'])('%s knows no ETag', async (path) => {
    const headers = { 'if-none-match': `${etag}, *` };
    const { status } = await fetch(`${servers.cached}${path}`, { headers, redirect: 'manual' });
    expect(status).not.toBe(304);
  });

  test('a token that is not good is refused first, and who may not read is told so', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const { issuer, app } = servers;
    const bad = [
      'nonsense',
      await issuer.sign(app.viewer, { exp: now - 600 }),
      await issuer.sign(app.viewer, { aud: 'https://other.example/' }),
      await issuer.sign({ ...app.viewer, userId: app.viewer.organizationId }),
      `${await issuer.sign(app.viewer)}x`,
    ];
    const current = (await ask({ documentId: 'features' })).headers.etag!;
    for (const token of bad) {
      for (const path of ['/graphql', '/graphql/features']) {
        const question = path === '/graphql' ? { documentId: 'features' } : {};
        const headers = { authorization: `Bearer ${token}`, 'if-none-match': `${current}, *` };
        const answer = await ask(question, { path, headers });
        expect([answer.status, codeOf(answer.text), answer.headers.etag]).toEqual([401, 'UNAUTHENTICATED', undefined]);
      }
    }
    const headers = { 'if-none-match': `${current}, *` };
    for (const [who, code] of [
      ['nobody', 'UNAUTHENTICATED'],
      ['Ada who may nothing', 'FORBIDDEN'],
    ] as const) {
      const answer = await ask({ documentId: 'features' }, { who, headers });
      expect([answer.status === 304, codeOf(answer.text)], who).toEqual([false, code]);
    }
    const other = await ask({ documentId: 'features' }, { who: 'a stranger', headers: { 'if-none-match': current } });
    expect([other.status, other.text.includes('Not yours')]).toEqual([200, true]);
  });

  test('Cache-Control and Vary say whose an answer is; errors and writes are nobody’s to keep', async () => {
    for (const source of ['made', 'kept']) {
      const { headers } = await ask({ documentId: 'features', variables: { first: 3 } });
      expect(headers['cache-control'], source).toBe('private, no-cache');
      expect(headers.vary, source).toMatch(/authorization/);
    }
    const refused = await ask({ documentId: 'features' }, { who: 'nobody' });
    const written = await renameTo('Mine');
    for (const { headers } of [refused, written]) {
      expect(headers['cache-control']).toBe('no-store');
      expect(headers.etag).toBeUndefined();
    }
  });
});

describe('13: a read that began before a write stores its old result after it', () => {
  test.each([
    ['nobody asks meanwhile', false],
    ['somebody asks meanwhile', true],
  ])('%s: it is answered, and not kept', async (label, isAskedMeanwhile) => {
    await renameTo('Before');
    const hasRead = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    held = { name: 'listFeaturesByIds', hasRead: hasRead.resolve, goOn: goOn.promise };
    const slow = nameOf();
    await hasRead.promise;
    held = null;
    await renameTo(label);
    // Waits for the slow one, but does not share what it read.
    const late = isAskedMeanwhile ? nameOf({ who: 'a colleague' }) : null;
    // By then the one before it has come as well.
    await ask({ query: '{ __typename }' });
    goOn.resolve();
    expect(await slow).toBe('Before');
    expect(await late).toBe(isAskedMeanwhile ? label : null);
    for (const asking of [{}, { who: 'a colleague' }, { who: 'Ada who may only read' }]) {
      expect(await nameOf(asking)).toBe(label);
    }
  });
});

describe('14: lists stay stale after a create or a delete', () => {
  test.each(['GET', 'POST'] as const)('they are anew by %s, for all who may see them', async (method) => {
    const lists: Question[] = [
      { documentId: 'features', variables: { first: 50 } },
      { query: '{ features(filter: { nameContains: "newcomer" }) { totalCount nodes { name } } }' },
      { query: '{ features(orderBy: { field: NAME, direction: DESC }, last: 3) { nodes { name } } }' },
    ];
    const seen = async (who: string) => Promise.all(lists.map(async (list) => (await ask(list, { method, who })).text));
    const everybody = ['Ada', 'a colleague', 'Ada who may only read', 'a stranger'];
    for (const who of everybody) for (const text of await seen(who)) expect(text).not.toContain('Newcomer');
    const create = 'mutation { createFeature(input: { name: "Newcomer" }) { feature { id } } }';
    const created = JSON.parse((await ask({ query: create }, { method: 'POST' })).text).data.createFeature.feature;
    for (const who of everybody.slice(0, 3))
      expect((await seen(who)).slice(0, 2).join(), who).toMatch(/Newcomer.*Newcomer/);
    for (const text of await seen('a stranger')) expect(text).not.toContain('Newcomer');
    const remove = 'mutation ($id: ID!) { deleteFeature(input: { id: $id }) { deletedId } }';
    await ask({ query: remove, variables: { id: created.id } }, { method: 'POST', who: 'a colleague' });
    for (const who of everybody) for (const text of await seen(who)) expect(text, who).not.toContain('Newcomer');
  });
});

describe('25: ids of documents that nobody gave', () => {
  test.each([
    '__proto__',
    'constructor',
    'toString',
    'FEATURES',
    'Features',
    ' features',
    'features/',
    sha256Of(features).toUpperCase(),
    sha256Of(features).slice(1),
  ])('%s is none, also where its like was answered before', async (documentId) => {
    await ask({ documentId: 'features' });
    expect((await ask({ documentId: 'features' })).headers['cache-status']).toMatch(/hit/);
    for (const method of ['GET', 'POST', 'GET', 'POST'] as const) {
      const answer = await ask({ documentId }, { method });
      expect([answer.status, codeOf(answer.text)]).toEqual([404, 'PERSISTED_QUERY_NOT_FOUND']);
      const inPath = await ask({}, { method, path: `/graphql/${encodeURIComponent(documentId)}` });
      expect([inPath.status, codeOf(inPath.text)]).toEqual([404, 'PERSISTED_QUERY_NOT_FOUND']);
    }
  });
});
