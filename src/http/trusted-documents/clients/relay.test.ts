/** Relay against the server: compiled artifacts by the ids of its persisted map, pages, nodes by id, mutations. */
import {
  type ConcreteRequest,
  ConnectionHandler,
  commitMutation,
  createOperationDescriptor,
  Environment,
  type FetchFunction,
  fetchQuery,
  getPaginationMetadata,
  getPaginationVariables,
  getSingularSelector,
  getValueAtPath,
  type MutationParameters,
  Network,
  RecordSource,
  ROOT_ID,
  type SingularReaderSelector,
  Store,
  type Variables,
} from 'relay-runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../../context.ts';
import { findManifestProblems } from '../../../persist/check-manifest.ts';
import { encodeGlobalId, parseGlobalId } from '../../../schema/global-id.ts';
import { schema } from '../../../schema/index.ts';
import { createTestCases } from '../../../testing/seed-builders.ts';
import { parseManifest } from '../manifest.ts';
import { indexDocuments } from '../trusted-documents.ts';
import { compileRelayApp, type RelayApp } from './testing-relay-app.ts';
import {
  type ClientServer,
  createPeople,
  expectPrivateGets,
  linesOf,
  openClientServer,
  type Person,
} from './testing-server.ts';

let app: RelayApp;
/** Runs what is in Relay's persisted map, and nothing else. */
let server: ClientServer;
let people: Person[];
let ada: Person;

beforeAll(async () => {
  app = await compileRelayApp();
  server = await openClientServer({
    settings: { trustedDocuments: 'only' },
    trustedDocuments: indexDocuments(parseManifest(app.manifest)),
  });
  people = await createPeople(server.app);
  ada = people[0]!;
});

beforeEach(() => {
  server.take();
});

afterAll(() => server.close());

/** An environment as an application sets it up, with an empty store: queries by GET, mutations by POST. */
function createEnvironment(viewer: Viewer | null): Environment {
  const send = server.fetchAs(viewer);
  const ask: FetchFunction = async ({ id, operationKind }, variables) => {
    const headers = { accept: 'application/graphql-response+json', 'content-type': 'application/json' };
    const response =
      operationKind === 'query'
        ? await send(`${server.url}/${id}?${new URLSearchParams({ variables: JSON.stringify(variables) })}`, {
            headers,
          })
        : await send(server.url, { method: 'POST', headers, body: JSON.stringify({ documentId: id, variables }) });
    return response.json();
  };
  return new Environment({ network: Network.create(ask), store: new Store(new RecordSource()) });
}

/** What an application keeps in the store while it shows it, and what it reads of it. */
async function open(environment: Environment, name: string, variables: Variables) {
  const request = app.request(name);
  await fetchQuery(environment, request, variables).toPromise();
  const operation = createOperationDescriptor(request, variables);
  environment.retain(operation);
  return environment.lookup(operation.fragment).data as Record<string, unknown>;
}

/** What usePaginationFragment does without React: the fragment as it is in the store, and its next page. */
function paginate(environment: Environment, name: string, parent: unknown) {
  const fragment = app.fragment(name);
  const selector = getSingularSelector(fragment, parent) as SingularReaderSelector;
  const metadata = getPaginationMetadata(fragment, name);
  // biome-ignore lint/suspicious/noExplicitAny: read by name
  const read = (): any => getValueAtPath(environment.lookup(selector).data, metadata.connectionPathInFragmentData);
  return {
    read,
    names: (): string[] => read().edges.map((edge: { node: { name: string } }) => edge.node.name),
    onChange: (listener: () => void) => environment.subscribe(environment.lookup(selector), listener),
    async loadNext(count: number) {
      const { pageInfo } = read();
      const base = { ...selector.owner.variables, ...selector.variables };
      const variables = getPaginationVariables(
        'forward',
        count,
        pageInfo.endCursor,
        base,
        {},
        metadata.paginationMetadata,
      );
      if (metadata.identifierField) variables.id = selector.dataID;
      const request = metadata.paginationRequest as ConcreteRequest;
      await fetchQuery(environment, request, variables).toPromise();
      environment.retain(createOperationDescriptor(request, variables));
    },
  };
}

const mutate = (environment: Environment, name: string, variables: Variables) =>
  new Promise((resolve, reject) => {
    commitMutation<MutationParameters>(environment, {
      mutation: app.request(name),
      variables,
      onCompleted: resolve,
      onError: reject,
    });
  });

describe('the persisted map', () => {
  test.each([
    [undefined, /^[0-9a-f]{32}$/],
    ['SHA256', /^[0-9a-f]{64}$/],
  ] as const)('of relay-compiler is a manifest, with ids by %s', async (algorithm, form) => {
    const { manifest } = await compileRelayApp(algorithm);
    expect(findManifestProblems(schema, manifest)).toEqual([]);
    const documents = parseManifest(manifest);
    expect(documents).toHaveLength(8);
    for (const { id, sha256 } of documents) {
      expect(id).toMatch(form);
      if (algorithm === 'SHA256') expect(id).toBe(sha256);
    }
  });
});

describe('a pagination fragment', () => {
  test('of a query has exactly its pages, each by one request', async () => {
    const environment = createEnvironment(ada.viewer);
    const { names, read, loadNext } = paginate(
      environment,
      'App_features',
      await open(environment, 'AppQuery', { first: 3 }),
    );
    const shown = [names()];
    while (read().pageInfo.hasNextPage) {
      await loadNext(3);
      shown.push(names());
    }
    expect(shown).toEqual([3, 6, 7].map((count) => ada.features.slice(0, count)));
    expect(linesOf(server.take())).toEqual(['GET id 200', 'GET id 200', 'GET id 200']);
  });

  test('of a node finds the node again by its id', async () => {
    const { pool } = server.app.database;
    const id = ada.ids.get('Echo')!;
    await createTestCases(pool, ada.viewer, parseGlobalId(id)!.key, 5);
    const environment = createEnvironment(ada.viewer);
    const { feature } = await open(environment, 'AppFeatureQuery', { id });
    const { names, read, loadNext } = paginate(environment, 'App_tests', feature);
    const counts = [names().length];
    while (read().pageInfo.hasNextPage) {
      await loadNext(2);
      counts.push(names().length);
    }
    expect(counts).toEqual([2, 4, 5]);
    expect(names().toSorted()).toEqual([0, 1, 2, 3, 4].map((index) => `Test ${index}`));
  });
});

describe('a node', () => {
  const stored = (environment: Environment, id: string) => environment.getStore().getSource().get(id);

  test('is fetched again by its global id', async () => {
    const id = ada.ids.get('Bravo')!;
    const environment = createEnvironment(ada.viewer);
    await open(environment, 'AppFeatureRefetchQuery', { id });
    expect(stored(environment, id)).toMatchObject({ __id: id, __typename: 'Feature', name: 'Bravo' });
    expect(linesOf(server.take())).toEqual(['GET id 200']);
  });

  test('is renewed by a mutation wherever it is shown, and for others who read then', async () => {
    const id = ada.ids.get('Bravo')!;
    const [environment, colleague] = [createEnvironment(ada.viewer), createEnvironment(people[1]!.viewer)];
    const list = paginate(environment, 'App_features', await open(environment, 'AppQuery', { first: 3 }));
    const shown: string[][] = [];
    list.onChange(() => shown.push(list.names()));
    const read = async () =>
      paginate(colleague, 'App_features', await open(colleague, 'AppQuery', { first: 3 })).names();
    expect(await read()).toEqual(['Alpha', 'Bravo', 'Charlie']);
    await mutate(environment, 'AppRenameMutation', { input: { id, name: 'Bravo 2' } });
    expect(shown).toEqual([['Alpha', 'Bravo 2', 'Charlie']]);
    expect(await read()).toEqual(shown[0]);
    await mutate(environment, 'AppRenameMutation', { input: { id, name: 'Bravo' } });
    expect(linesOf(server.take())).toEqual(['GET id 200', 'GET id 200', 'POST id 200', 'GET id 200', 'POST id 200']);
  });

  test('that is made comes to the end of a connection, and goes from it when it is deleted', async () => {
    const { viewer } = people[2]!;
    const environment = createEnvironment(viewer);
    const list = paginate(environment, 'App_features', await open(environment, 'AppQuery', { first: 3 }));
    const connections = [
      ConnectionHandler.getConnectionID(ROOT_ID, 'App_features', { orderBy: { field: 'NAME', direction: 'ASC' } }),
    ];
    await mutate(environment, 'AppCreateMutation', { input: { name: 'A new one' }, connections });
    expect(list.names()).toEqual(['Theirs', 'A new one']);
    const id = list.read().edges[1].node.id;
    await mutate(environment, 'AppDeleteMutation', { input: { id }, connections });
    expect(list.names()).toEqual(['Theirs']);
    const fresh = createEnvironment(viewer);
    expect(paginate(fresh, 'App_features', await open(fresh, 'AppQuery', { first: 3 })).names()).toEqual(['Theirs']);
  });
});

describe('an error', () => {
  const id = encodeGlobalId('Feature', '00000000-0000-7000-8000-000000000000');

  test.each<[string, string, Variables, Partial<Viewer> | null]>([
    ['NOT_FOUND', 'AppRenameMutation', { input: { id, name: 'x' } }, {}],
    ['FORBIDDEN', 'AppRenameMutation', { input: { id, name: 'x' } }, { scopes: ['read'] }],
    ['BAD_USER_INPUT', 'AppQuery', { first: -1 }, {}],
    ['UNAUTHENTICATED', 'AppQuery', { first: 1 }, null],
  ])('%s is known by its code', async (code, name, variables, viewer) => {
    const environment = createEnvironment(viewer && { ...ada.viewer, ...viewer });
    const asked = name === 'AppQuery' ? open(environment, name, variables) : mutate(environment, name, variables);
    const error = await asked.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ source: { errors: [{ extensions: { code } }] } });
    for (const { got } of server.take()) expect(got.get('cache-control')).toBe('no-store');
  });
});

test('clients of several viewers each get what is theirs through one URL', async () => {
  for (let round = 0; round < 2; round++) {
    for (const { viewer, name, features } of people) {
      const environment = createEnvironment(viewer);
      const data = await open(environment, 'AppQuery', { first: 10 });
      expect([data.viewer, paginate(environment, 'App_features', data).names()]).toEqual([
        expect.objectContaining({ name }),
        features,
      ]);
    }
  }
  await expectPrivateGets(server, people, server.take());
});
