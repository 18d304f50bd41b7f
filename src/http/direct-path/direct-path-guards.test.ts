/** What a request on the direct path pays, counts and is asked for is what it would be on the long way. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { AnswerCache } from '../../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../../cache/invalidation-log.ts';
import { readConfig } from '../../config.ts';
import { encodeGlobalId } from '../../schema/global-id.ts';
import { createFeatures } from '../../testing/seed-builders.ts';
import type { ServeOptions } from '../../testing/serve-app.ts';
import { countStatements, type TestAppOptions, viewerHeader } from '../../testing/test-app.ts';
import { createAdmission } from '../admission.ts';
import { createRateLimiter } from '../rate-limit/rate-limiter.ts';
import { sha256Of } from '../trusted-documents/manifest.ts';
import { indexDocuments, type TrustedDocuments } from '../trusted-documents/trusted-documents.ts';
import { createDirectServer, type DirectServer, type Received } from './testing-direct-server.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(options: TestAppOptions = {}, serveOptions: ServeOptions = {}): Promise<DirectServer> {
  const server = await createDirectServer(options, serveOptions);
  closing.push(() => server.close());
  return server;
}

const silent = pino({ level: 'silent' });
const limitsWith = (environment: Record<string, string>) => readConfig({ NODE_ENV: 'test', ...environment }).limits;
const codeOf = ({ body }: Received) => JSON.parse(body.toString()).errors?.[0]?.extensions.code;
const name = 'query Name { viewer { name } }';
const byId = 'query One($id: ID!) { feature(id: $id) { name owner { name } } }';

describe('which documents may run is asked each time', () => {
  const persisted = (text: string) => ({ persistedQuery: { version: 1, sha256Hash: sha256Of(text) } });

  /** A manifest that can be replaced. */
  function createManifest(...texts: string[]) {
    const index = (bodies: readonly string[]) =>
      indexDocuments(bodies.map((body) => ({ id: sha256Of(body), sha256: sha256Of(body), body })));
    let current = index(texts);
    const documents: TrustedDocuments = {
      get size() {
        return current.size;
      },
      find: (id) => current.find(id),
      has: (body) => current.has(body),
      toWarm: [],
    };
    const replace = (...next: string[]) => {
      current = index(next);
    };
    return { documents, replace };
  }

  test('where only trusted ones do: by text, by id and in the path, until one is withdrawn', async () => {
    const { documents, replace } = createManifest(name, byId);
    const { ask, takeLongWays } = await open({
      trustedDocuments: documents,
      settings: { trustedDocuments: 'only' },
    });
    const id = sha256Of(name);
    const askAll = async () => [
      await ask({ body: { query: name } }),
      await ask({ body: { documentId: id } }),
      await ask({ body: { extensions: persisted(name) } }),
      await ask({ method: 'GET', path: `/graphql/${id}` }),
      await ask({ method: 'GET', path: `/graphql?documentId=${id}` }),
    ];
    await askAll();
    takeLongWays();
    expect((await askAll()).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(takeLongWays()).toBe(0);
    replace(byId);
    const gone = 'PERSISTED_QUERY_NOT_FOUND';
    expect((await askAll()).map(codeOf)).toEqual(['PERSISTED_QUERY_ONLY', gone, gone, gone, gone]);
    expect(takeLongWays()).toBe(5);
  });

  test('where others are logged: each of them is counted', async () => {
    const { documents } = createManifest(byId);
    const { query, app, takeLongWays } = await open({
      trustedDocuments: documents,
      settings: { trustedDocuments: 'log' },
    });
    for (let time = 0; time < 3; time++) await query(name);
    expect(takeLongWays()).toBe(3);
    const counted = await app.registry.getSingleMetric('tributary_untrusted_operations_total')!.get();
    expect(counted.values[0]!.value).toBe(3);
  });

  test('where clients register them: by the hash alone, once the text came with it', async () => {
    const { ask, takeLongWays } = await open();
    const byHash = { body: { extensions: persisted(name) } };
    const both = { body: { query: name, extensions: persisted(name) } };
    expect(codeOf(await ask(byHash))).toBe('PERSISTED_QUERY_NOT_FOUND');
    for (let time = 0; time < 2; time++) expect((await ask(both)).status).toBe(200);
    expect(takeLongWays()).toBe(3);
    expect((await ask(byHash)).status).toBe(200);
    expect((await ask({ body: { documentId: `sha256:${sha256Of(name)}` } })).status).toBe(200);
    expect(takeLongWays()).toBe(0);
    // Prepared, but never registered.
    await ask({ body: { query: byId, variables: { id: 'x' } } });
    expect(codeOf(await ask({ body: { extensions: persisted(byId) } }))).toBe('PERSISTED_QUERY_NOT_FOUND');
    const wrong = await ask({ body: { query: name, extensions: persisted(byId) } });
    expect(codeOf(wrong)).toBe('BAD_USER_INPUT');
  });

  test('the names of trusted ones become labels, as soon as they are', async () => {
    const { documents, replace } = createManifest();
    const { query, app, takeLongWays } = await open({ trustedDocuments: documents });
    const labels = async () => {
      const { values } = await app.registry.getSingleMetric('graphql_request_seconds')!.get();
      return [...new Set(values.map(({ labels }) => labels.operation))].sort();
    };
    for (let time = 0; time < 2; time++) await query(name);
    expect(await labels()).toEqual(['other']);
    replace(name);
    takeLongWays();
    await query(name);
    expect(takeLongWays()).toBe(0);
    expect(await labels()).toEqual(['Name', 'other']);
  });
});

describe('limits', () => {
  test('that only warn are told of for each request over them', async () => {
    const warnings: { limit: string }[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => warnings.push(JSON.parse(line)) });
    const limits = limitsWith({ LIMIT_DEPTH: 'warn:1' });
    const { query, takeLongWays } = await open({ log, settings: { limits } });
    for (let time = 0; time < 3; time++) await query(name);
    expect(takeLongWays()).toBe(3);
    expect(warnings.map(({ limit }) => limit)).toEqual(['depth', 'depth', 'depth']);
  });

  test('of cost are looked at with the variables of each request', async () => {
    const { query, takeLongWays } = await open({ settings: { limits: limitsWith({ LIMIT_COST: '100' }) } });
    const page = 'query ($first: Int!) { features(first: $first) { nodes { id } } }';
    for (let time = 0; time < 2; time++) expect((await query(page, { first: 10 })).errors).toBeUndefined();
    expect(takeLongWays()).toBe(1);
    const refused = await query(page, { first: 100 });
    expect(refused.errors[0].extensions.code).toBe('QUERY_TOO_COMPLEX');
    expect(takeLongWays()).toBe(1);
  });

  test('of bodies hold below what the direct path takes', async () => {
    const { ask, takeLongWays } = await open({ settings: { limits: limitsWith({ LIMIT_BODY_BYTES: '1000' }) } });
    for (const x of ['x', 'x']) await ask({ body: { query: name, variables: { x } } });
    expect(takeLongWays()).toBe(1);
    expect((await ask({ body: { query: name, variables: { x: 'x'.repeat(1_000) } } })).status).toBe(413);
  });

  test('of lists are told of with the id of the request', async () => {
    const { ask, query } = await open({ settings: { limits: limitsWith({ LIMIT_LIST_SIZE: '5' }) } });
    const page = 'query ($first: Int!) { features(first: $first) { nodes { id } } }';
    for (let time = 0; time < 2; time++) await query(page, { first: 5 });
    const answer = await ask({ body: { query: page, variables: { first: 6 } } });
    expect(JSON.parse(answer.body.toString()).errors[0].extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      requestId: answer.headers['x-request-id'],
    });
  });
});

describe('quotas', () => {
  const remainingOf = ({ headers }: Received) => Number(/r=(\d+)/.exec(headers.ratelimit!)![1]);
  const openLimited = (points: number, options: TestAppOptions = {}) => {
    const rateLimits = {
      viewer: { points, windowSeconds: 60, isWarnOnly: false },
      address: { points: points * 10, windowSeconds: 60, isWarnOnly: false },
    };
    const rateLimiter = createRateLimiter({ rateLimits, redis: null, log: silent, registry: new Registry() });
    return open({ rateLimiter, ...options });
  };

  test('are used once by each request, also by one that is handed on', async () => {
    const { ask, app, takeLongWays } = await openLimited(1_000);
    const [feature] = await createFeatures(app.database.pool, app.viewer, [{ name: 'One' }]);
    const variables = { id: encodeGlobalId('Feature', feature!.id) };
    const writer = { [viewerHeader]: JSON.stringify({ ...app.viewer, scopes: ['write'] }) };
    const first = await ask({ body: { query: byId, variables } });
    const second = await ask({ body: { query: byId, variables } });
    expect(takeLongWays()).toBe(1);
    const cost = remainingOf(first) - remainingOf(second);
    expect(cost).toBeGreaterThan(0);
    const forbidden = await ask({ body: { query: byId, variables }, headers: writer });
    expect([takeLongWays(), codeOf(forbidden)]).toEqual([1, 'FORBIDDEN']);
    expect(remainingOf(second) - remainingOf(forbidden)).toBe(cost);
    // Not executed: a fixed price for the address.
    const wrong = await ask({ body: { query: byId, variables: {} } });
    expect([takeLongWays(), codeOf(wrong)]).toEqual([1, 'BAD_USER_INPUT']);
    expect(remainingOf(await ask({ body: { query: byId, variables } }))).toBeGreaterThan(0);
  });

  test('refuse who is over them, once, with the headers of the long way', async () => {
    const { ask, takeLongWays, app } = await openLimited(10);
    const answers = [await ask({ body: { query: name } })];
    while (answers.at(-1)!.status === 200 && answers.length < 30) answers.push(await ask({ body: { query: name } }));
    const last = answers.at(-1)!;
    expect(last.status).toBe(429);
    expect(last.headers['retry-after']).toMatch(/^\d+$/);
    expect(takeLongWays()).toBe(2);
    const steps = answers.slice(1).map((answer, index) => remainingOf(answers[index]!) - remainingOf(answer));
    expect(new Set(steps.slice(0, -1)).size).toBe(1);
    expect(await app.registry.metrics()).toContain('tributary_operation_cost');
  });

  test('of an address that is used up cost its viewers nothing', async () => {
    const rateLimits = {
      viewer: { points: 1_000, windowSeconds: 60, isWarnOnly: false },
      address: { points: 3, windowSeconds: 60, isWarnOnly: false },
    };
    const registry = new Registry();
    const rateLimiter = createRateLimiter({ rateLimits, redis: null, log: silent, registry });
    const taken: (string | null)[] = [];
    const counting = {
      ...rateLimiter,
      consume: (given: Parameters<typeof rateLimiter.consume>[0]) => {
        taken.push(given.viewerKey);
        return rateLimiter.consume(given);
      },
    };
    const { ask } = await open({ rateLimiter: counting });
    const statuses: number[] = [];
    for (let time = 0; time < 8; time++) statuses.push((await ask({ body: { query: name } })).status);
    expect(statuses.slice(0, 1)).toEqual([200]);
    expect(statuses.slice(-3)).toEqual([429, 429, 429]);
    const refusedEarly = statuses.filter((status) => status === 429).length - 1;
    expect(taken.length).toBe(8 - refusedEarly);
    const { values } = await registry.getSingleMetric('tributary_rate_limited_total')!.get();
    expect(values.reduce((sum, { value }) => sum + value, 0)).toBe(refusedEarly + 1);
  });
});

describe('what is counted and logged', () => {
  const countOf = async ({ app }: DirectServer, metric: string) => {
    const { values } = (await app.registry.getSingleMetric(metric)!.get()) as {
      values: { metricName?: string; value: number; labels: object }[];
    };
    return values
      .filter(({ metricName }) => metricName === undefined || metricName.endsWith('_count'))
      .map(({ labels, value }) => ({ ...labels, value }));
  };

  test('is one of each for each request, with the labels of the long way', async () => {
    const server = await open();
    const several =
      'fragment F on User { name } query A { viewer { ...F } } query FeaturesInProgress { viewer { id } }';
    const writer = { [viewerHeader]: JSON.stringify({ ...server.app.viewer, scopes: [] }) };
    await server.query(name);
    await server.query(name);
    await server.query(byId, { id: 'x' }, writer);
    await server.query(byId, { id: 'x' }, writer);
    expect(server.takeLongWays()).toBe(3);
    const labelled = { operation: 'other', type: 'query', value: 4 };
    expect(await countOf(server, 'graphql_request_seconds')).toEqual([labelled]);
    expect(await countOf(server, 'graphql_execute_seconds')).toEqual([{ type: 'query', value: 4 }]);
    expect(await countOf(server, 'tributary_operation_cost')).toEqual([{ value: 4 }]);
    expect(await countOf(server, 'graphql_errors_total')).toEqual([{ code: 'FORBIDDEN', phase: 'execute', value: 2 }]);
    for (const operationName of ['A', 'FeaturesInProgress']) {
      for (let time = 0; time < 2; time++) await server.ask({ body: { query: several, operationName } });
    }
    expect(server.takeLongWays()).toBe(2);
    expect(await countOf(server, 'graphql_request_seconds')).toEqual([
      labelled,
      { operation: 'other', type: 'unknown', value: 2 },
      { operation: 'FeaturesInProgress', type: 'unknown', value: 2 },
    ]);
  });

  test('is the same line of the log', async () => {
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line)) });
    const { query, takeLongWays } = await open({ log });
    for (const id of ['long-way', 'direct-path']) await query(name, {}, { 'x-request-id': id });
    expect(takeLongWays()).toBe(1);
    const [first, second] = lines.map(({ time, milliseconds, ...rest }) => ({ ...rest, timed: typeof milliseconds }));
    expect(second).toEqual({ ...first, requestId: 'direct-path' });
    expect(first).toMatchObject({ operation: 'Name', method: 'POST', status: 200, timed: 'number', msg: 'request' });
  });

  test('is the room that a request takes, until it is answered', async () => {
    const registry = new Registry();
    const admission = createAdmission({
      maxInFlight: 1,
      maxEventLoopDelayMs: 60_000,
      isDatabaseFull: () => false,
      registry,
    });
    closing.push(() => admission.close());
    const { query, takeLongWays } = await open({}, { admission });
    const inFlight = async () =>
      (await registry.getSingleMetric('tributary_requests_in_flight')!.get()).values[0]!.value;
    for (let time = 0; time < 5; time++) {
      expect((await query(name)).status).toBe(200);
      await expect.poll(inFlight).toBe(0);
    }
    expect(takeLongWays()).toBe(1);
  });
});

test('where no page of another origin may ask, answers vary by their coding only', async () => {
  const { ask, takeLongWays } = await open();
  const answers = [await ask({ body: { query: name } }), await ask({ body: { query: name } })];
  expect(takeLongWays()).toBe(1);
  expect(answers.map(({ headers }) => headers.vary)).toEqual(['accept-encoding', 'accept-encoding']);
});

test('a bad token is refused as on the long way', async () => {
  const { ask, query, takeLongWays } = await open();
  for (let time = 0; time < 2; time++) await query(name);
  takeLongWays();
  // What the test app reads as JSON.
  const broken = await ask({ body: { query: name }, headers: { [viewerHeader]: '{' } });
  expect([broken.status >= 400 || codeOf(broken) !== undefined, takeLongWays()]).toEqual([true, 1]);
  const nobody = await ask({ body: { query: byId, variables: { id: 'x' } }, headers: { [viewerHeader]: 'null' } });
  expect([nobody.status, codeOf(nobody)]).toEqual([401, 'UNAUTHENTICATED']);
});

describe('with a cache', () => {
  const openKeeping = async () => {
    const cache = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 24 });
    const server = await open({ cache });
    const rows = await createFeatures(server.app.database.pool, server.app.viewer, [
      { name: 'One' },
      { name: 'Two' },
      { name: 'Three' },
    ]);
    return { ...server, ids: rows.map(({ id }) => encodeGlobalId('Feature', id)) };
  };

  test('an answer that is made directly is kept: those who ask meanwhile wait for it, others find it', async () => {
    const { app, ask, query, ids, takeLongWays } = await openKeeping();
    await query(byId, { id: ids[0] });
    takeLongWays();
    const askTwo = () => ask({ body: { query: byId, variables: { id: ids[1] } } });
    let answers: Received[] = [];
    const statements = await countStatements(app, async () => {
      answers = await Promise.all(Array.from({ length: 8 }, askTwo));
      answers.push(await askTwo());
    });
    expect(takeLongWays()).toBe(0);
    expect(statements).toEqual(['listFeaturesWithOwnersByIds']);
    const statuses = answers.map(({ headers }) => headers['cache-status']!.replace(/\d+/, 'N'));
    expect(statuses.toSorted()).toEqual([
      'tributary; fwd=miss; stored',
      ...Array.from({ length: 8 }, () => 'tributary; hit; ttl=N'),
    ]);
    expect(new Set(answers.map(({ body }) => body.toString())).size).toBe(1);
  });

  test('an answer is made anew after a write', async () => {
    const { query, ids, takeLongWays } = await openKeeping();
    const change =
      'mutation ($id: ID!, $name: String!) { updateFeature(input: { id: $id, name: $name }) { feature { id } } }';
    for (const next of ['Four', 'Five', 'Six']) {
      await query(change, { id: ids[0], name: next });
      for (let time = 0; time < 2; time++) {
        expect((await query(byId, { id: ids[0] })).data.feature.name).toBe(next);
      }
    }
    // The first mutation, and the first query.
    expect(takeLongWays()).toBe(2);
  });

  test('what fails is not kept, and those who wait for it go on by themselves', async () => {
    const { app, ask, query, ids, takeLongWays } = await openKeeping();
    await query(byId, { id: ids[0] });
    takeLongWays();
    const nothing = { [viewerHeader]: JSON.stringify({ ...app.viewer, scopes: [] }) };
    const askAll = () =>
      Promise.all(
        Array.from({ length: 4 }, () => ask({ body: { query: byId, variables: { id: ids[2] } }, headers: nothing })),
      );
    for (let time = 0; time < 2; time++) {
      expect((await askAll()).map(codeOf)).toEqual(Array.from({ length: 4 }, () => 'FORBIDDEN'));
    }
    expect(takeLongWays()).toBe(8);
  });
});
