import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Bounds, Database, Statement, Value } from '../db/database.ts';
import { createFeatures } from '../testing/seed-builders.ts';
import { type ServedApp, serveApp } from '../testing/serve-app.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { createAdmission } from './admission.ts';
import { openRaw, rawPost } from './testing-socket.ts';

/**
 * What the first statement of a request does. `works`: it runs; `obeys`: it lasts until the request is over; `lingers`:
 * the same, but then it succeeds; `hangs`: it never ends. The others are those of the real pool.
 */
type Mood = 'works' | 'obeys' | 'lingers' | 'hangs';

let app: TestApp;
let served: ServedApp;
let mood: Mood = 'works';
let started: string[] = [];
/** Those that wait for the end of their request. */
let waiting: string[] = [];
let ranLate: string[] = [];
let reasons: unknown[] = [];
let logged: { level: number; msg: string }[] = [];
let contexts = 0;
let liveRequests = 0;
const ends = new FinalizationRegistry(() => {
  liveRequests -= 1;
});

function moody(database: Database, { signal }: Bounds): Database {
  return {
    ...database,
    run: async <Row>(statement: Statement, values: readonly Value[]) => {
      started.push(statement.name);
      if (signal.aborted) {
        const rows = await database.run<Row>(statement, values);
        ranLate.push(statement.name);
        return rows;
      }
      if (mood === 'works') return database.run<Row>(statement, values);
      const rows = mood === 'lingers' ? await database.run<Row>(statement, values) : [];
      return new Promise<Row[]>((resolve, reject) => {
        const onAbort = () => {
          reasons.push(signal.reason);
          if (mood === 'obeys') reject(signal.reason);
          if (mood === 'lingers') resolve(rows);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.push(statement.name);
      });
    },
  };
}

beforeAll(async () => {
  const log = pino({ level: 'debug' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  app = await createTestApp({
    log,
    settings: { requestTimeoutMs: 2_000 },
    wrapDependencies: (given) => ({
      ...given,
      database: { ...given.database, within: (bounds) => moody(given.database.within(bounds), bounds) },
      authenticate: (request) => {
        contexts += 1;
        liveRequests += 1;
        ends.register(request, null);
        return given.authenticate(request);
      },
    }),
  });
  await createFeatures(app.database.pool, app.viewer, [{ name: 'One' }, { name: 'Two' }]);
  const { registry } = app;
  const admission = createAdmission({
    maxInFlight: 1_000,
    maxEventLoopDelayMs: 10_000,
    isDatabaseFull: () => false,
    registry,
  });
  served = await serveApp(app, () => false, { admission });
});

beforeEach(() => {
  mood = 'works';
  started = [];
  waiting = [];
  reasons = [];
  logged = [];
  contexts = 0;
  ranLate = [];
});

afterAll(() => served.close());

const slow = '{ features { totalCount } viewer { name } }';
const post = (query: string, headers: Record<string, string> = {}) =>
  fetch(`${served.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
const metric = async (name: string) => {
  const text = await (await fetch(`${served.origin}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
};
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('the time of a request', () => {
  test('ends it with TIMEOUT, 504 and its id', async () => {
    mood = 'obeys';
    const response = await post(slow, { 'x-request-timeout-ms': '50' });
    expect(response.status).toBe(504);
    const { errors } = (await response.json()) as { errors: { message: string; extensions: object }[] };
    expect(errors[0]).toMatchObject({
      message: 'The request took longer than 50 ms',
      extensions: { code: 'TIMEOUT', requestId: response.headers.get('x-request-id') },
    });
    expect(logged.filter(({ level }) => level > 20)).toEqual([]);
  });

  test('leaves standing what has been answered', async () => {
    mood = 'obeys';
    const response = await post('{ __typename viewer { name } }', { 'x-request-timeout-ms': '50' });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      data: { __typename: 'Query', viewer: null },
      errors: [{ path: ['viewer'], extensions: { code: 'TIMEOUT' } }],
    });
  });

  test('cannot be made longer than the setting', async () => {
    mood = 'obeys';
    const response = await post(slow, { 'x-request-timeout-ms': '999999999' });
    expect(await response.json()).toHaveProperty('errors.0.message', 'The request took longer than 2000 ms');
  });

  test.each(['0', '-1', '1.5', '1e3', 'soon', ' ', '0x10', '9'.repeat(40)])('refuses %j', async (value) => {
    const response = await post('{ __typename }', { 'x-request-timeout-ms': value });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [
        {
          message: 'X-Request-Timeout-Ms: expected a whole number of milliseconds, 1 to 2000',
          extensions: { code: 'BAD_USER_INPUT', requestId: response.headers.get('x-request-id') },
        },
      ],
    });
  });

  test('is answered even if the work never notices', async () => {
    mood = 'hangs';
    const startedAt = performance.now();
    const response = await post(slow, { 'x-request-timeout-ms': '50' });
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'TIMEOUT' } }] });
    expect(performance.now() - startedAt).toBeGreaterThan(1_000);
  });

  test('counts the body, too: 408, and the connection ends', async () => {
    const raw = await openRaw(served.port);
    raw.socket.write(`${rawPost('', { 'content-length': '100', 'x-request-timeout-ms': '100' })}{"query":`);
    const text = await raw.closed();
    expect(text).toMatch(/^HTTP\/1\.1 408 [\s\S]*connection: close/i);
    expect(text).toContain('"code":"TIMEOUT"');
    expect(contexts).toBe(0);
  });
});

describe('a client that goes away', () => {
  test('ends the work: no further statement is started, and nothing is logged as an error', async () => {
    mood = 'lingers';
    const raw = await openRaw(served.port);
    raw.socket.write(rawPost(JSON.stringify({ query: '{ features { nodes { owner { name } } } }' })));
    await expect.poll(() => waiting.length).toBe(1);
    raw.socket.destroy();
    await expect.poll(() => reasons.length).toBe(1);
    await wait(200);
    expect(started.length).toBeGreaterThan(1);
    expect(ranLate).toEqual([]);
    expect(await metric('tributary_requests_in_flight')).toBe(0);
    expect(logged.filter(({ level }) => level > 20)).toEqual([]);
  });

  test('is told apart by the reason, which the work gets', async () => {
    mood = 'obeys';
    const raw = await openRaw(served.port);
    raw.socket.write(rawPost(JSON.stringify({ query: slow })));
    await expect.poll(() => started.length).toBeGreaterThan(0);
    raw.socket.destroy();
    await expect.poll(() => reasons.length).toBeGreaterThan(0);
    expect(reasons[0]).toMatchObject({ message: 'The client has gone away', extensions: { code: 'TIMEOUT' } });
    await expect.poll(() => logged.map(({ msg }) => msg)).toEqual(['request']);
    expect(logged[0]).toMatchObject({ level: 20, status: 499 });
  });

  test('while its body is read costs no execution', async () => {
    const raw = await openRaw(served.port);
    raw.socket.write(`${rawPost('', { 'content-length': '100' })}{"query":`);
    await expect.poll(() => metric('tributary_requests_in_flight')).toBe(1);
    raw.socket.destroy();
    await expect.poll(() => metric('tributary_requests_in_flight')).toBe(0);
    expect(contexts).toBe(0);
    expect(logged.filter(({ level }) => level > 20)).toEqual([]);
  });
});

describe('the log', () => {
  test('has one line for each request, at level debug', async () => {
    const response = await post('query Named { __typename }');
    await response.text();
    expect(logged).toMatchObject([
      {
        level: 20,
        msg: 'request',
        method: 'POST',
        operation: 'Named',
        status: 200,
        milliseconds: expect.any(Number),
        requestId: response.headers.get('x-request-id'),
      },
    ]);
  });
});

describe('what requests leave behind', () => {
  test('is no timer and no request', { timeout: 60_000 }, async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const count = 3_000;
    await app.query('{ __typename }');
    await wait(100);
    const before = timers();
    for (let index = 0; index < count; index += 50) {
      await Promise.all(Array.from({ length: 50 }, () => app.query('{ __typename }')));
    }
    expect(contexts).toBe(count + 1);
    expect(timers()).toBeLessThanOrEqual(before + 5);
    await expect
      .poll(() => {
        collectGarbage();
        return liveRequests;
      })
      .toBeLessThan(count / 20);
  });
});
