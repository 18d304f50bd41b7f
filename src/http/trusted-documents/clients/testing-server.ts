/** A server with a cache behind a real socket, and what real clients exchange with it. */
import type { Server } from 'node:http';
import { join } from 'node:path';
import { expect } from 'vitest';
import { AnswerCache } from '../../../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../../../cache/invalidation-log.ts';
import type { Viewer } from '../../../context.ts';
import { readClientDefinitions } from '../../../persist/client-definitions.ts';
import { printManifest } from '../../../persist/manifest-formats.ts';
import { persistOperations } from '../../../persist/persisted-operations.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import { schema } from '../../../schema/index.ts';
import { createFeatures, createOrganization, createUser } from '../../../testing/seed-builders.ts';
import { serveApp } from '../../../testing/serve-app.ts';
import { createTestApp, type TestApp, type TestAppOptions, viewerHeader } from '../../../testing/test-app.ts';
import { parseManifest } from '../manifest.ts';
import { indexDocuments, type TrustedDocuments } from '../trusted-documents.ts';

/** One request of a client and its answer. */
export interface Exchange {
  method: string;
  /** Path and query string. */
  url: string;
  sent: Headers;
  /** What was in the body; null: there was none. */
  body: Record<string, unknown> | null;
  status: number;
  got: Headers;
}

export interface ClientServer {
  app: TestApp;
  http: Server;
  /** Of the GraphQL endpoint. */
  url: string;
  /** The fetch of a client that is signed in as somebody, or as nobody; what it exchanges is noted. */
  fetchAs(viewer: Viewer | null): typeof fetch;
  /** What was exchanged since the last call, in the order of the requests. */
  take(): Exchange[];
  close(): Promise<void>;
}

export interface ClientServerOptions extends Pick<TestAppOptions, 'settings' | 'trustedDocuments'> {
  corsOrigins?: readonly string[];
}

export async function openClientServer({
  corsOrigins = [],
  ...options
}: ClientServerOptions = {}): Promise<ClientServer> {
  const cache = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 24 });
  const app = await createTestApp({ ...options, cache });
  const served = await serveApp(app, () => false, { corsOrigins });
  // Who sends no token is nobody here, and the bytes of a token are the viewer.
  served.server.prependListener('request', ({ headers }) => {
    const token = headers.authorization?.slice('Bearer '.length);
    headers[viewerHeader] = token ? Buffer.from(token, 'base64url').toString() : 'null';
  });
  let exchanges: Exchange[] = [];
  return {
    app,
    http: served.server,
    url: `${served.origin}/graphql`,
    fetchAs: (viewer) => async (input, init) => {
      const sent = new Headers(init?.headers);
      if (viewer) sent.set('authorization', bearerOf(viewer));
      const exchange = {
        method: init?.method ?? 'GET',
        url: String(input).slice(served.origin.length),
        sent,
        body: typeof init?.body === 'string' ? (JSON.parse(init.body) as Record<string, unknown>) : null,
      };
      const noted = exchanges;
      const position = noted.push({ ...exchange, status: 0, got: new Headers() }) - 1;
      const response = await fetch(input, { ...init, headers: sent });
      noted[position] = { ...exchange, status: response.status, got: response.headers };
      return response;
    },
    take() {
      const taken = exchanges;
      exchanges = [];
      return taken;
    },
    close: () => served.close(),
  };
}

/** What a client that is signed in as somebody sends in Authorization. */
export function bearerOf(viewer: Viewer): string {
  return `Bearer ${Buffer.from(JSON.stringify(viewer)).toString('base64url')}`;
}

/** Such as `GET hash 404`: the method, how the document was named, the status. */
export function linesOf(exchanges: readonly Exchange[]): string[] {
  return exchanges.map(({ method, url, body, status }) => {
    const { searchParams } = new URL(url, 'http://server');
    const sent: Record<string, unknown> = body ?? Object.fromEntries(searchParams);
    const kind = sent.query ? 'text' : sent.documentId || url.startsWith('/graphql/') ? 'id' : 'hash';
    return `${method} ${kind} ${status}`;
  });
}

/** The manifest of testing-operations.ts as `npm run persist -- --typename` makes it, and its ids by the names of operations. */
export async function createManifest(): Promise<{
  documents: TrustedDocuments;
  idByName: ReadonlyMap<string, string>;
}> {
  const definitions = await readClientDefinitions([join(import.meta.dirname, 'testing-operations.ts')]);
  const options = { addsTypename: true, format: 'apollo' } as const;
  const { operations, problems } = persistOperations(schema, definitions, options);
  expect(problems).toEqual([]);
  return {
    documents: indexDocuments(parseManifest(printManifest(operations, options.format))),
    idByName: new Map(operations.map(({ id, name }) => [name, id])),
  };
}

/** Somebody, and what they see of `{ viewer { name } features(orderBy: name) { nodes { name } } }`. */
export interface Person {
  viewer: Viewer;
  name: string;
  features: string[];
  /** The global ids of the features by name. */
  ids: ReadonlyMap<string, string>;
}

/** The viewer of the app, somebody of the same organization, and somebody of another one. */
export async function createPeople({ viewer, database: { pool } }: TestApp): Promise<Person[]> {
  const create = async (owner: Viewer, features: string[]) => {
    // So that neither the order of creation nor that of ids is the one of the names.
    const named = features.toReversed().map((name) => ({ name }));
    const rows = await createFeatures(pool, owner, named);
    return { features, ids: new Map(rows.map(({ id, name }) => [name, encodeGlobalId('Feature', id)])) };
  };
  const colleague = { ...viewer, userId: await createUser(pool, viewer.organizationId, 'Grace') };
  const stranger = await createOrganization(pool, 'Other');
  stranger.userId = await createUser(pool, stranger.organizationId, 'Linus');
  const shared = await create(viewer, ['Alpha', 'Bravo', 'Charlie', 'Delta', 'Echo', 'Foxtrot', 'Golf']);
  return [
    { viewer, name: 'Ada', ...shared },
    { viewer: colleague, name: 'Grace', ...shared },
    { viewer: stranger, name: 'Linus', ...(await create(stranger, ['Theirs'])) },
  ];
}

/**
 * Looks at what clients of several viewers exchanged who asked one thing twice, each in turn: one URL, that nobody but
 * them may keep, was made once for each and answered from the cache then; who has another's ETag gets their own answer.
 */
export async function expectPrivateGets(
  server: ClientServer,
  people: readonly Person[],
  exchanges: readonly Exchange[],
) {
  expect(new Set(exchanges.map(({ method, url }) => `${method} ${url}`)).size).toBe(1);
  expect(exchanges.map(({ got }) => got.get('cache-status')?.split(';')[1])).toEqual([
    ...people.map(() => ' fwd=miss'),
    ...people.map(() => ' hit'),
  ]);
  for (const { status, got } of exchanges) {
    expect([status, got.get('cache-control')]).toEqual([200, 'private, no-cache']);
    expect(got.get('vary')?.toLowerCase().split(/, */)).toEqual(expect.arrayContaining(['accept', 'authorization']));
  }
  const etags = people.map((_, index) => exchanges[index]!.got.get('etag')!);
  expect(new Set(etags).size).toBe(people.length);
  const { url, sent } = exchanges[0]!;
  for (const [index, { viewer }] of people.entries()) {
    for (const etag of etags) {
      const headers = { accept: sent.get('accept')!, 'if-none-match': etag };
      const response = await server.fetchAs(viewer)(new URL(url, server.url), { headers });
      expect([response.status, response.headers.get('etag')]).toEqual([
        etag === etags[index] ? 304 : 200,
        etags[index],
      ]);
      expect((await response.text()).length > 0).toBe(etag !== etags[index]);
    }
  }
  server.take();
}
