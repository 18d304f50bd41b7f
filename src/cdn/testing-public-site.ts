/** A server with public features of one organization, as an edge stands in front of it: its answers kept, its writes purged. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { AnswerCache } from '../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../cache/invalidation-log.ts';
import type { Viewer } from '../context.ts';
import { sha256Of } from '../http/trusted-documents/manifest.ts';
import { indexDocuments } from '../http/trusted-documents/trusted-documents.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import { createFeatures } from '../testing/seed-builders.ts';
import { type ServedApp, serveApp } from '../testing/serve-app.ts';
import { createTestApp, type TestApp, viewerHeader } from '../testing/test-app.ts';
import type { Purger } from './purger.ts';

const documents = {
  one: `query One($organizationId: ID!, $id: ID!) {
    publicFeature(organizationId: $organizationId, id: $id) { id name testSummary { total } } }`,
  list: `query List($organizationId: ID!) {
    publicFeatures(organizationId: $organizationId) { totalCount nodes { id name } } }`,
  mixed: `query Mixed($organizationId: ID!, $id: ID!) {
    publicFeature(organizationId: $organizationId, id: $id) { name } viewer { name } }`,
  own: 'query Own { viewer { id } }',
};

/** Those that may call it, by CORS. */
export const pages = ['https://one.example', 'https://two.example'] as const;

export type DocumentName = keyof typeof documents;

export interface PublicSite {
  readonly app: TestApp;
  readonly served: ServedApp;
  /** The public features; everybody may ask for them by these ids. */
  readonly features: readonly { readonly id: string; readonly name: string }[];
  /** Requests for GraphQL that came here. */
  takeRequests(): { readonly url: string; readonly forwardedFor: string | undefined }[];
  /** What is told of writes; to be set when the edge is there. */
  purger: Purger | null;
  /** The path of a document, for an edge or for the server itself. */
  pathOf(name: DocumentName, feature?: { readonly id: string }): string;
  /** Sends a mutation to the server itself, as the viewer; resolves when it is acknowledged. */
  mutate(document: string, variables: object, viewer?: Viewer): Promise<void>;
  rename(feature: { readonly id: string }, name: string): Promise<void>;
}

/** A site with a few public features. */
export async function servePublicSite(): Promise<PublicSite> {
  let purger: Purger | null = null;
  let requests: { url: string; forwardedFor: string | undefined }[] = [];
  const cache = new AnswerCache({
    maxBytes: 2 ** 24,
    openLog: (onChange) => {
      const log = createLocalInvalidationLog(onChange);
      // First the own memory, then the edges.
      const append = (tags: readonly string[]) => log.append(tags).then(() => purger?.onWrite(tags));
      return { ...log, append };
    },
  });
  const trusted = Object.entries(documents).map(([id, body]) => ({ id, body, sha256: sha256Of(body) }));
  const app = await createTestApp({ cache, trustedDocuments: indexDocuments(trusted) });
  const served = await serveApp(app, () => false, { corsOrigins: [...pages] });
  served.server.on('request', ({ url = '', headers }) => {
    const forwardedFor = headers['x-forwarded-for'] as string | undefined;
    if (url.startsWith('/graphql')) requests.push({ url, forwardedFor });
  });
  const names = ['One', 'Two', 'Three'];
  const rows = await createFeatures(
    app.database.pool,
    app.viewer,
    names.map((name) => ({ name, isPublic: true })),
  );
  const features = rows.map(({ id, name }) => ({ id: encodeGlobalId('Feature', id), name }));
  const organizationId = encodeGlobalId('Organization', app.viewer.organizationId);
  const mutate: PublicSite['mutate'] = async (query, variables, viewer = app.viewer) => {
    const response = await fetch(`${served.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [viewerHeader]: JSON.stringify(viewer) },
      body: JSON.stringify({ query, variables }),
    });
    const { errors } = (await response.json()) as { errors?: unknown };
    if (errors) throw new Error(JSON.stringify(errors));
    requests = requests.filter(({ url }) => url !== '/graphql');
  };
  return {
    app,
    served,
    features,
    takeRequests() {
      const taken = requests;
      requests = [];
      return taken;
    },
    get purger() {
      return purger;
    },
    set purger(given) {
      purger = given;
    },
    pathOf(name, feature = features[0]!) {
      const variables = name === 'list' ? { organizationId } : { organizationId, id: feature.id };
      return `/graphql/${name}${name === 'own' ? '' : `?${new URLSearchParams({ variables: JSON.stringify(variables) })}`}`;
    },
    mutate,
    rename: ({ id }, name) =>
      mutate(
        'mutation ($id: ID!, $name: String!) { updateFeature(input: { id: $id, name: $name }) { feature { id } } }',
        {
          id,
          name,
        },
      ),
  };
}

/** The purger of a test, for edges given. */
export const purgerOptions = {
  cdnPurgeToken: undefined,
  cdnPurgeDeadlineMs: 250,
  log: pino({ level: 'silent' }),
  get registry() {
    return new Registry();
  },
};
