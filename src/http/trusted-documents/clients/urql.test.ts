/** urql against the server: the persisted exchange by GET, registration, a manifest, ids in documents, errors. */
import {
  Client,
  type CombinedError,
  cacheExchange,
  type DocumentInput,
  fetchExchange,
  getOperationName,
  type OperationContext,
  type OperationResult,
} from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { Kind } from 'graphql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Viewer } from '../../../context.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import { feature, myFeatures, renameFeature } from './testing-operations.ts';
import {
  type ClientServer,
  createManifest,
  createPeople,
  expectPrivateGets,
  linesOf,
  openClientServer,
  type Person,
} from './testing-server.ts';

let server: ClientServer;
let people: Person[];
let ada: Person;
/** Runs what is in the manifest of testing-operations.ts, and nothing else. */
let strict: ClientServer;
let idByName: ReadonlyMap<string, string>;

beforeAll(async () => {
  const { documents: trustedDocuments, idByName: ids } = await createManifest();
  idByName = ids;
  [server, strict] = await Promise.all([
    openClientServer(),
    openClientServer({ settings: { trustedDocuments: 'only' }, trustedDocuments }),
  ]);
  people = await createPeople(server.app);
  ada = people[0]!;
});

beforeEach(() => {
  server.take();
});

afterEach(() => {
  vi.unstubAllEnvs();
});

afterAll(async () => {
  await server.close();
  await strict.close();
});

type PersistedOptions = NonNullable<Parameters<typeof persistedExchange>[0]>;

/** A client as an application sets it up, with an empty cache. */
function createClient(viewer: Viewer | null, persisted: PersistedOptions = {}, at = server): Client {
  return new Client({
    url: at.url,
    fetch: at.fetchAs(viewer),
    preferGetMethod: false,
    exchanges: [cacheExchange, persistedExchange({ preferGetForPersistedQueries: true, ...persisted }), fetchExchange],
  });
}

/** As tools write them that put ids in the place of definitions. */
type PersistedDocument = Extract<DocumentInput, object> & { documentId: string };

const createStrictClient = () =>
  createClient(
    strict.app.viewer,
    {
      enforcePersistedQueries: true,
      enableForMutation: true,
      generateHash: async (_text, document) => idByName.get(getOperationName(document)!),
    },
    strict,
  );

const codesOf = (error: CombinedError | undefined) => error?.graphQLErrors.map(({ extensions }) => extensions.code);
describe('an operation', () => {
  test.each<[string, OperationContext['preferGetMethod'], string, string[]]>([
    ['by GET', true, 'query Short { viewer { name } }', ['GET hash 404', 'GET text 200', 'GET hash 200']],
    ['by GET always', 'force', 'query Forced { viewer { name } }', ['GET hash 404', 'GET text 200', 'GET hash 200']],
    ['by POST', false, 'query Posted { viewer { name } }', ['POST hash 404', 'POST text 200', 'POST hash 200']],
    [
      'whose text is too long for a URL',
      true,
      `query Long { viewer { ${'id '.repeat(700)} } }`,
      ['GET hash 404', 'POST text 200', 'GET hash 200'],
    ],
  ])(
    '%s is registered by the first client, and asked for by its hash from then on',
    async (_label, method, query, lines) => {
      const ask = () => createClient(ada.viewer, { preferGetForPersistedQueries: method }).query(query, {}).toPromise();
      const { data, error } = await ask();
      expect([error, data.viewer]).toEqual([undefined, expect.objectContaining({ __typename: 'User' })]);
      expect((await ask()).data).toEqual(data);
      const exchanges = server.take();
      expect(linesOf(exchanges)).toEqual(lines);
      for (const { got } of exchanges) expect(got.get('content-type')).toMatch(/^application\/graphql-response\+json/);
    },
  );

  test('that nobody registered is an error where the client enforces persisted queries', async () => {
    const client = createClient(ada.viewer, { enforcePersistedQueries: true });
    const { error } = await client.query('query Enforced { viewer { name } }', {}).toPromise();
    expect(codesOf(error)).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
    expect(linesOf(server.take())).toEqual(['GET hash 404']);
  });
});

describe('a mutation', () => {
  test('goes by POST, and what the network answers next is from after it', async () => {
    const client = createClient(ada.viewer);
    const id = ada.ids.get('Delta')!;
    const read = async (by: Client) => (await by.query(feature, { id }).toPromise()).data?.feature.name;
    expect([await read(client), await read(createClient(people[1]!.viewer))]).toEqual(['Delta', 'Delta']);
    server.take();
    const rename = (name: string) => client.mutation(renameFeature, { id, name }).toPromise();
    const { error } = await rename('Delta 2');
    expect(error).toBeUndefined();
    // The cache of the client has dropped what names a Feature.
    expect([await read(client), await read(createClient(people[1]!.viewer))]).toEqual(['Delta 2', 'Delta 2']);
    expect(linesOf(server.take())).toEqual(['POST text 200', 'GET hash 200', 'GET hash 200']);
    await rename('Delta');
  });
});

describe('an error', () => {
  const missing = encodeGlobalId('Feature', '00000000-0000-7000-8000-000000000000');
  const rename = (client: Client) => client.mutation(renameFeature, { id: missing, name: 'x' });

  test.each<[string, (client: Client) => { toPromise(): Promise<OperationResult> }, Partial<Viewer> | null]>([
    ['GRAPHQL_VALIDATION_FAILED', (client) => client.query('query Wrong { nothing }', {}), {}],
    ['BAD_USER_INPUT', (client) => client.query(feature, { id: 'nonsense' }), {}],
    ['NOT_FOUND', rename, {}],
    ['FORBIDDEN', rename, { scopes: ['read'] }],
    ['UNAUTHENTICATED', (client) => client.query(feature, { id: missing }), null],
  ])('%s is known by its code', async (code, ask, viewer) => {
    const { error } = await ask(createClient(viewer && { ...ada.viewer, ...viewer })).toPromise();
    expect([codesOf(error), error?.networkError]).toEqual([[code], undefined]);
    for (const { got } of server.take()) expect(got.get('cache-control')).toBe('no-store');
  });
});

test('clients of several viewers each get what is theirs through one URL', async () => {
  await createClient(null).query(myFeatures, {}).toPromise();
  server.take();
  for (let round = 0; round < 2; round++) {
    for (const { viewer, name, features } of people) {
      const { data } = await createClient(viewer).query(myFeatures, {}).toPromise();
      const names = data.features.nodes.map((node: { name: string }) => node.name);
      expect([data.viewer.name, names]).toEqual([name, features]);
    }
  }
  await expectPrivateGets(server, people, server.take());
});

describe('with a manifest, where only trusted documents run', () => {
  test('the operations of the application run by their ids', async () => {
    const [{ ids }] = (await createPeople(strict.app)) as [Person];
    const id = ids.get('Golf')!;
    const client = createStrictClient();
    await client.mutation(renameFeature, { id, name: 'Two' }).toPromise();
    const { data } = await client.query(feature, { id }).toPromise();
    expect(data!.feature).toMatchObject({ __typename: 'Feature', name: 'Two', owner: { name: 'Ada' } });
    expect(linesOf(strict.take())).toEqual(['POST hash 200', 'GET hash 200']);
  });

  test('documents that are only an id run as well', async () => {
    // While developing, urql wants to see what kind of operation a document is.
    vi.stubEnv('NODE_ENV', 'production');
    const [{ ids }] = (await createPeople(strict.app)) as [Person];
    const id = ids.get('Golf')!;
    const document = (name: string): PersistedDocument => ({
      kind: Kind.DOCUMENT,
      definitions: [],
      documentId: idByName.get(name)!,
    });
    const client = new Client({
      url: strict.url,
      fetch: strict.fetchAs(strict.app.viewer),
      preferGetMethod: 'within-url-limit',
      exchanges: [fetchExchange],
    });
    await client.mutation(document('RenameFeature'), { id, name: 'Two' }).toPromise();
    const { data } = await client.query(document('OneFeature'), { id }).toPromise();
    expect(data!.feature).toMatchObject({ name: 'Two', owner: { name: 'Ada' } });
    expect(linesOf(strict.take())).toEqual(['POST id 200', 'GET id 200']);
  });

  test('others do not, and are not registered', async () => {
    const query = 'query Other { viewer { email } }';
    const { error } = await createClient(strict.app.viewer, {}, strict).query(query, {}).toPromise();
    expect(codesOf(error)).toEqual(['PERSISTED_QUERY_ONLY']);
    expect(linesOf(strict.take())).toEqual(['GET hash 404', 'GET text 403']);
  });
});
