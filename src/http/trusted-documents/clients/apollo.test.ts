/** Apollo Client against the server: persisted-query link by GET, automatic registration, pages, errors, a manifest. */
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  gql,
  HttpLink,
  InMemoryCache,
  NetworkStatus,
} from '@apollo/client/core';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { getMainDefinition, relayStylePagination } from '@apollo/client/utilities';
import { type DocumentNode, print } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../../context.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import { sha256Of } from '../manifest.ts';
import { feature, featurePage, myFeatures, renameFeature } from './testing-operations.ts';
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

afterAll(async () => {
  await server.close();
  await strict.close();
});

interface ClientOptions {
  at?: ClientServer;
  /** The ids of the manifest in the place of hashes. */
  isManifestUsed?: boolean;
}

/** A client as an application sets it up, with an empty cache. */
function createClient(viewer: Viewer | null, { at = server, isManifestUsed = false }: ClientOptions = {}) {
  const hashing = isManifestUsed
    ? { generateHash: (document: DocumentNode) => idByName.get(getMainDefinition(document).name!.value)! }
    : { sha256 };
  return new ApolloClient({
    link: ApolloLink.from([
      new PersistedQueryLink({ ...hashing, useGETForHashedQueries: true }),
      new HttpLink({ uri: at.url, fetch: at.fetchAs(viewer) }),
    ]),
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { features: relayStylePagination(['filter', 'orderBy']) } } },
    }),
    enhancedClientAwareness: { transport: false },
  });
}

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toHex();
}

interface Row {
  id: string;
  name: string;
}

const codeOf = (error: unknown) =>
  CombinedGraphQLErrors.is(error) ? error.errors.map(({ extensions }) => extensions?.code) : error;
describe('an operation', () => {
  const variables = { first: 2 };
  const registered = ['GET hash 404', 'POST text 200'];

  test('is registered by the first client, and asked for by its hash from then on', async () => {
    const { data } = await createClient(ada.viewer).query({ query: featurePage, variables });
    expect(linesOf(server.take())).toEqual(registered);
    expect(await createClient(ada.viewer).query({ query: featurePage, variables })).toEqual({ data });
    const exchanges = server.take();
    expect(linesOf(exchanges)).toEqual(['GET hash 200']);
    const { pathname, searchParams } = new URL(exchanges[0]!.url, server.url);
    const text = print(new InMemoryCache().transformDocument(featurePage));
    expect([pathname, Object.fromEntries(searchParams)]).toEqual([
      '/graphql',
      {
        operationName: 'FeaturePage',
        variables: JSON.stringify(variables),
        extensions: JSON.stringify({ persistedQuery: { version: 1, sha256Hash: sha256Of(text) } }),
      },
    ]);
  });

  test('is registered again when the server has forgotten it', async () => {
    await createClient(ada.viewer).query({ query: featurePage, variables });
    await floodRegistration();
    server.take();
    const client = createClient(ada.viewer);
    const { data } = await client.query<Page>({ query: featurePage, variables: { first: 3 } });
    expect(linesOf(server.take())).toEqual(registered);
    expect(namesOf(data!)).toEqual(ada.features.slice(0, 3));
  });
});

interface Page {
  features: { edges: { node: Row }[]; pageInfo: { endCursor: string | null; hasNextPage: boolean } };
}

const namesOf = ({ features }: Page) => features.edges.map(({ node }) => node.name);

/** Registers so much that nothing from before has room: 16 MiB, and at most a hundredth of it for one document. */
async function floodRegistration(): Promise<void> {
  const filler = '#'.repeat(80_000);
  for (let number = 0; number < 110; number++) {
    const query = `query Flood${number} { __typename } ${filler}`;
    const response = await server.fetchAs(null)(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, extensions: { persistedQuery: { version: 1, sha256Hash: sha256Of(query) } } }),
    });
    expect(response.status).toBe(200);
  }
}

describe('relayStylePagination', () => {
  test('puts the pages of fetchMore together, each node once and in order', async () => {
    const client = createClient(ada.viewer);
    const query = client.watchQuery<Page>({ query: featurePage, variables: { first: 3 } });
    const shown: string[][] = [];
    const subscription = query.subscribe(({ data, networkStatus }) => {
      if (networkStatus === NetworkStatus.ready) shown.push(namesOf(data as Page));
    });
    await expect.poll(() => shown).toHaveLength(1);
    for (let pages = 2; pages <= 3; pages++) {
      const { endCursor, hasNextPage } = (query.getCurrentResult().data as Page).features.pageInfo;
      expect(hasNextPage).toBe(true);
      await query.fetchMore({ variables: { after: endCursor } });
      await expect.poll(() => shown).toHaveLength(pages);
    }
    subscription.unsubscribe();
    expect((query.getCurrentResult().data as Page).features.pageInfo.hasNextPage).toBe(false);
    expect(shown).toEqual([3, 6, 7].map((count) => ada.features.slice(0, count)));
    const exchanges = server.take().filter(({ status }) => status === 200);
    expect(exchanges).toHaveLength(3);
    expect(linesOf(exchanges.slice(1))).toEqual(['GET hash 200', 'GET hash 200']);
  });
});

describe('a mutation', () => {
  test('goes by POST, renews the cache of the client by the id, and what the network answers next', async () => {
    const id = ada.ids.get('Delta')!;
    const client = createClient(ada.viewer);
    const read = { query: feature, variables: { id } } as const;
    const query = client.watchQuery<{ feature: Row }>(read);
    const names: string[] = [];
    const subscription = query.subscribe(({ data }) => data?.feature?.name && names.push(data.feature.name));
    await expect.poll(() => names).toEqual(['Delta']);
    const colleague = createClient(people[1]!.viewer);
    await colleague.query(read);
    server.take();
    await client.mutate({ mutation: renameFeature, variables: { id, name: 'Delta 2' } });
    await expect.poll(() => names).toEqual(['Delta', 'Delta 2']);
    expect(linesOf(server.take())).toEqual(['POST hash 404', 'POST text 200']);
    for (const reader of [client, colleague]) {
      const { data } = await reader.query<{ feature: Row }>({ ...read, fetchPolicy: 'network-only' });
      expect(data!.feature.name).toBe('Delta 2');
    }
    await client.mutate({ mutation: renameFeature, variables: { id, name: 'Delta' } });
    await expect.poll(() => names).toEqual(['Delta', 'Delta 2', 'Delta']);
    subscription.unsubscribe();
    expect(linesOf(server.take())).toEqual(['GET hash 200', 'GET hash 200', 'POST hash 200']);
  });
});

describe('an error', () => {
  const missing = encodeGlobalId('Feature', '00000000-0000-7000-8000-000000000000');
  const rename = { mutation: renameFeature, variables: { id: missing, name: 'x' } };

  test.each<[string, (client: ApolloClient) => Promise<unknown>, Partial<Viewer> | null]>([
    ['GRAPHQL_VALIDATION_FAILED', (client) => client.query({ query: gql`query Wrong { nothing }` }), {}],
    ['BAD_USER_INPUT', (client) => client.query({ query: feature, variables: { id: 'nonsense' } }), {}],
    ['NOT_FOUND', (client) => client.mutate(rename), {}],
    ['FORBIDDEN', (client) => client.mutate(rename), { scopes: ['read'] }],
    ['UNAUTHENTICATED', (client) => client.query({ query: feature, variables: { id: missing } }), null],
  ])('%s is known by its code', async (code, ask, viewer) => {
    const client = createClient(viewer && { ...ada.viewer, ...viewer });
    const error = await ask(client).catch((reason: unknown) => reason);
    expect(codeOf(error)).toEqual([code]);
    for (const { got } of server.take()) expect(got.get('cache-control')).toBe('no-store');
  });
});

test('clients of several viewers each get what is theirs through one URL', async () => {
  await expect(createClient(null).query({ query: myFeatures })).rejects.toThrow('Sign in first');
  server.take();
  for (let round = 0; round < 2; round++) {
    for (const { viewer, name, features } of people) {
      const { data } = await createClient(viewer).query<Mine>({ query: myFeatures });
      expect([data!.viewer.name, data!.features.nodes.map((node) => node.name)]).toEqual([name, features]);
    }
  }
  await expectPrivateGets(server, people, server.take());
});

interface Mine {
  viewer: Row;
  features: { nodes: Row[] };
}

describe('with a manifest, where only trusted documents run', () => {
  test('the operations of the application run by their ids', async () => {
    const [{ viewer, ids }] = (await createPeople(strict.app)) as [Person];
    const id = ids.get('Golf')!;
    const client = createClient(viewer, { at: strict, isManifestUsed: true });
    expect(
      (await client.query<Page>({ query: featurePage, variables: { first: 1 } })).data!.features.edges,
    ).toHaveLength(1);
    await client.mutate({ mutation: renameFeature, variables: { id, name: 'Two' } });
    const { data } = await client.query<{ feature: Row }>({ query: feature, variables: { id } });
    expect(data).toMatchObject({ feature: { name: 'Two', owner: { name: 'Ada' } } });
    expect(linesOf(strict.take())).toEqual(['GET hash 200', 'POST hash 200', 'GET hash 200']);
  });

  test('others do not, and are not registered', async () => {
    const client = createClient(strict.app.viewer, { at: strict });
    const query = gql`query Other { viewer { email } }`;
    for (let times = 0; times < 2; times++) {
      const error = await client.query({ query, fetchPolicy: 'network-only' }).catch((reason: unknown) => reason);
      expect(codeOf(error)).toEqual(['PERSISTED_QUERY_ONLY']);
      expect(linesOf(strict.take())).toEqual(['GET hash 404', 'POST text 403']);
    }
  });
});
