/** A write on the direct path: the bytes of the long way, and made once, whatever becomes of its request. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AnswerCache } from '../../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../../cache/invalidation-log.ts';
import type { Bounds, Database, Statement, Value } from '../../db/database.ts';
import { encodeGlobalId } from '../../schema/global-id.ts';
import { createFeatures, createOrganization } from '../../testing/seed-builders.ts';
import { type TestAppOptions, viewerHeader } from '../../testing/test-app.ts';
import { createRateLimiter } from '../rate-limit/rate-limiter.ts';
import { openRaw, rawPost } from '../testing-socket.ts';
import { createDirectServer, type DirectServer, type Received } from './testing-direct-server.ts';

/** What a statement does with a write: `ends late`: it is done when its request is over; `hangs`: it never ends. */
let mood: 'works' | 'ends late' | 'hangs' = 'works';
let writes = 0;
let server: DirectServer;
let id: string;

const create = 'mutation Create($name: String!) { createFeature(input: { name: $name }) { feature { name status } } }';
const both = `mutation Both($name: String!, $id: ID!) {
  createFeature(input: { name: $name }) { feature { name } } updateFeature(input: { id: $id, description: "x" }) { feature { id } } }`;
const timeoutMs = 400;

function moody(database: Database, { signal }: Bounds): Database {
  return {
    ...database,
    run: async <Row>(statement: Statement, values: readonly Value[]) => {
      if (statement.isRead) return database.run<Row>(statement, values);
      writes += 1;
      if (mood === 'hangs') return new Promise<Row[]>(() => {});
      if (mood === 'ends late') await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return database.run<Row>(statement, values);
    },
  };
}

async function open(options: TestAppOptions = {}): Promise<void> {
  server = await createDirectServer({
    settings: { requestTimeoutMs: timeoutMs },
    wrapDependencies: (given) => ({
      ...given,
      database: { ...given.database, within: (bounds) => moody(given.database.within(bounds), bounds) },
    }),
    ...options,
  });
  const [feature] = await createFeatures(server.app.database.pool, server.app.viewer, [{ name: 'One' }]);
  id = encodeGlobalId('Feature', feature!.id);
  // Learns them, and the Accept.
  for (const query of [create, both]) await server.query(query, { name: 'First', id });
  server.takeLongWays();
  writes = 0;
}

beforeEach(() => {
  mood = 'works';
});

afterEach(() => server.close());

const codesOf = ({ errors }: { errors?: { extensions: { code: string } }[] }) =>
  errors?.map(({ extensions }) => extensions.code);

async function countNamed(name: string, viewer = server.app.viewer): Promise<number> {
  const query = 'query ($name: String!) { features(filter: { nameContains: $name }) { totalCount } }';
  const { data } = await server.app.query(query, { name }, viewer);
  return data.features.totalCount;
}

function withoutIds({ status, headers, body }: Received) {
  const { date, 'x-request-id': requestId, ...rest } = headers;
  return { status, headers: rest, body: body.toString() };
}

test('is answered with the bytes and headers of the long way', async () => {
  await open();
  const text = 'mutation { createFeature(input: { name: "Same" }) { feature { name status complexityPoints } } }';
  const answers: Received[] = [];
  for (let time = 0; time < 3; time++) answers.push(await server.ask({ body: { query: text } }));
  expect(server.takeLongWays()).toBe(1);
  const [first, ...others] = answers.map(withoutIds);
  expect(JSON.parse(first!.body).data.createFeature.feature.name).toBe('Same');
  for (const other of others) expect(other).toEqual(first);
  expect(await countNamed('Same')).toBe(3);
});

test('is of who asks, not of who asked before', async () => {
  await open();
  const stranger = await createOrganization(server.app.database.pool);
  await server.query(create, { name: 'Of a stranger' }, { [viewerHeader]: JSON.stringify(stranger) });
  expect(server.takeLongWays()).toBe(0);
  expect([await countNamed('Of a stranger', stranger), await countNamed('Of a stranger')]).toEqual([1, 0]);
  const reader = { [viewerHeader]: JSON.stringify({ ...server.app.viewer, scopes: ['read'] }) };
  expect(codesOf(await server.query(create, { name: 'Of a reader' }, reader))).toEqual(['FORBIDDEN']);
  expect(await countNamed('Of a reader')).toBe(0);
});

test('only of mutations is it noted how they were executed: of a query that would keep its first request', async () => {
  await open({ cache: new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 20 }) });
  const learn = vi.spyOn(server.app.directPath!, 'learn');
  await server.query('{ viewer { id name } }');
  await server.query('mutation Other($name: String!) { createFeature(input: { name: $name }) { feature { id } } }', {
    name: 'Noted',
  });
  expect(learn.mock.calls.map(([, { execute }]) => execute === null)).toEqual([true, false]);
});

test('by GET it is refused, however often it has run', async () => {
  await open();
  const get = (parameters: Record<string, string>) =>
    server.ask({ method: 'GET', path: `/graphql?${new URLSearchParams(parameters)}` });
  // GETs have their direct path, too.
  for (let time = 0; time < 2; time++) await get({ query: '{ viewer { id } }' });
  expect(server.takeLongWays()).toBe(1);
  for (let time = 0; time < 2; time++) {
    const { status } = await get({ query: create, variables: JSON.stringify({ name: 'By a link' }) });
    expect(status).toBe(405);
  }
  expect([writes, await countNamed('By a link')]).toEqual([0, 0]);
});

describe('one that fails is made once, and the long way says why', () => {
  test('in a field', async () => {
    await open();
    const variables = { name: 'Half', id: encodeGlobalId('Feature', '00000000-0000-7000-8000-000000000000') };
    const answer = await server.query(both, variables);
    expect([codesOf(answer), answer.errors[0].path]).toEqual([['NOT_FOUND'], ['updateFeature']]);
    expect([server.takeLongWays(), writes, await countNamed('Half')]).toEqual([1, 2, 1]);
  });

  test('by its variables', async () => {
    await open();
    const answer = await server.query(create, { name: 7 });
    expect([answer.status, codesOf(answer), answer.errors[0].extensions.issues[0].path]).toEqual([
      400,
      ['BAD_USER_INPUT'],
      'name',
    ]);
    expect([server.takeLongWays(), writes]).toEqual([1, 0]);
  });

  test('as it hears of the end of its time', async () => {
    await open();
    mood = 'ends late';
    const answer = await server.query(both, { name: 'Late', id });
    expect([answer.status, codesOf(answer)]).toEqual([504, ['TIMEOUT']]);
    expect([server.takeLongWays(), writes]).toEqual([1, 1]);
  });

  test('as it never ends', async () => {
    await open();
    mood = 'hangs';
    const answer = await server.query(create, { name: 'Never' });
    expect([answer.status, codesOf(answer)]).toEqual([504, ['TIMEOUT']]);
    expect([server.takeLongWays(), writes]).toEqual([1, 1]);
  });

  test('as its client has gone', async () => {
    await open();
    mood = 'ends late';
    const raw = await openRaw(server.port);
    raw.socket.write(rawPost(JSON.stringify({ query: create, variables: { name: 'Gone' } })));
    await expect.poll(() => writes).toBe(1);
    raw.socket.destroy();
    mood = 'works';
    await server.query(create, { name: 'Next' });
    expect([server.takeLongWays(), writes]).toEqual([0, 2]);
  });
});

test('takes its points once, and is counted once', async () => {
  const quota = { points: 10_000, windowSeconds: 60, isWarnOnly: false };
  const rateLimiter = createRateLimiter({
    rateLimits: { viewer: quota, address: { ...quota, points: 100_000 } },
    redis: null,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
  });
  await open({ rateLimiter });
  const remainingOf = ({ headers }: Received) => Number(/r=(\d+)/.exec(headers.ratelimit!)![1]);
  const missing = encodeGlobalId('Feature', '00000000-0000-7000-8000-000000000000');
  const ask = (given: string) => server.ask({ body: { query: both, variables: { name: 'Paid', id: given } } });
  const [first, second, failed, last] = [await ask(id), await ask(id), await ask(missing), await ask(id)];
  const cost = remainingOf(first!) - remainingOf(second!);
  expect(cost).toBeGreaterThan(0);
  expect(remainingOf(second!) - remainingOf(failed!)).toBe(cost);
  expect(remainingOf(failed!) - remainingOf(last!)).toBe(cost);
  const { values } = (await server.app.registry.getSingleMetric('graphql_request_seconds')!.get()) as {
    values: { metricName?: string; value: number; labels: { type?: string } }[];
  };
  const counted = values.filter(({ metricName }) => metricName?.endsWith('_count'));
  // Two to learn, these four.
  expect(counted.map(({ labels, value }) => [labels.type, value])).toEqual([['mutation', 6]]);
});
