/** The time of a request on the direct path, and its client: as on the long way. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Bounds, Database, Statement, Value } from '../../db/database.ts';
import { createFeatures } from '../../testing/seed-builders.ts';
import { createAdmission } from '../admission.ts';
import { openRaw, rawPost } from '../testing-socket.ts';
import { createDirectServer, type DirectServer } from './testing-direct-server.ts';

/** What a statement does. `obeys`: it lasts until its request is over; `hangs`: it never ends. */
let mood: 'works' | 'obeys' | 'hangs' = 'works';
let started = 0;
let reasons: unknown[] = [];
let logged: Record<string, unknown>[] = [];
let server: DirectServer;

function moody(database: Database, { signal }: Bounds): Database {
  return {
    ...database,
    run: async <Row>(statement: Statement, values: readonly Value[]) => {
      if (mood === 'works') return database.run<Row>(statement, values);
      if (mood === 'obeys') signal.throwIfAborted();
      return new Promise<Row[]>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          if (mood === 'obeys') reject(signal.reason);
        });
        started += 1;
      });
    },
  };
}

const slow = 'query Slow { features { totalCount } viewer { name } }';
const partly = 'query Partly { __typename viewer { name } }';
const timeoutMs = 500;

beforeAll(async () => {
  const log = pino({ level: 'debug' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  const admission = createAdmission({
    maxInFlight: 1_000,
    maxEventLoopDelayMs: 60_000,
    isDatabaseFull: () => false,
    registry: new Registry(),
  });
  server = await createDirectServer(
    {
      log,
      settings: { requestTimeoutMs: timeoutMs },
      wrapDependencies: (given) => ({
        ...given,
        database: { ...given.database, within: (bounds) => moody(given.database.within(bounds), bounds) },
      }),
    },
    { admission },
  );
  await createFeatures(server.app.database.pool, server.app.viewer, [{ name: 'One' }]);
  for (const query of [slow, partly]) await server.query(query);
});

beforeEach(() => {
  mood = 'works';
  started = 0;
  reasons = [];
  logged = [];
  server.takeLongWays();
});

afterAll(() => server.close());

test('work that hears of the end is answered by TIMEOUT, at the time of the request and not twice of it', async () => {
  mood = 'obeys';
  const startedAt = performance.now();
  const { status, errors } = await server.query(slow);
  const milliseconds = performance.now() - startedAt;
  expect(status).toBe(504);
  expect(errors[0]).toMatchObject({
    message: `The request took longer than ${timeoutMs} ms`,
    extensions: { code: 'TIMEOUT' },
  });
  // Begun directly, and ended by the long way without any further statement.
  expect([started, server.takeLongWays()]).toEqual([2, 1]);
  expect(milliseconds).toBeGreaterThanOrEqual(timeoutMs - 20);
  expect(logged.at(-1)).toMatchObject({ msg: 'request', status: 504, operation: 'Slow' });
  expect(Number(logged.at(-1)!.milliseconds)).toBeGreaterThanOrEqual(timeoutMs - 20);
});

test('what has been answered by then is left standing', async () => {
  mood = 'obeys';
  expect(await server.query(partly)).toMatchObject({
    status: 200,
    data: { __typename: 'Query', viewer: null },
    errors: [{ path: ['viewer'], extensions: { code: 'TIMEOUT' } }],
  });
});

test('work that never notices is answered by TIMEOUT after the grace', async () => {
  mood = 'hangs';
  const { status, errors } = await server.query(slow);
  expect([status, errors[0].extensions.code]).toEqual([504, 'TIMEOUT']);
  // The long way does not begin it again.
  expect([started, server.takeLongWays()]).toEqual([2, 1]);
});

test('a client that goes away ends the work, and one line of the log says so', async () => {
  mood = 'obeys';
  const raw = await openRaw(server.port);
  raw.socket.write(rawPost(JSON.stringify({ query: slow })));
  await expect.poll(() => started).toBe(2);
  raw.socket.destroy();
  await expect.poll(() => reasons.length).toBe(2);
  expect(reasons[0]).toMatchObject({ message: 'The client has gone away', extensions: { code: 'TIMEOUT' } });
  await expect.poll(() => logged).toMatchObject([{ level: 20, msg: 'request', status: 499, operation: 'Slow' }]);
  expect(server.takeLongWays()).toBe(0);
});

test('answered requests leave no timer behind', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  for (let time = 0; time < 50; time++) expect((await server.query(slow)).status).toBe(200);
  expect(server.takeLongWays()).toBe(0);
  expect(timers()).toBeLessThanOrEqual(before + 5);
});
