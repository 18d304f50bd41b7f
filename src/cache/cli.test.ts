import { execFile } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { findFreePort } from '../testing/free-port.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';
import { changeOfPurge } from './purge-tags.ts';
import { announceChange, changesKey } from './redis-invalidation-log.ts';
import { type CacheProcess, openCacheProcess } from './testing-cache-process.ts';

const organization = '0198c0de-0000-7000-8000-000000000001';
const other = '0198c0de-0000-7000-8000-000000000002';

const patience = { timeout: 10_000 };

const run = (redisUrl: string, ...args: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const env = { ...process.env, REDIS_URL: redisUrl };
    execFile(process.execPath, ['src/cache/cli.ts', ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), output: `${stdout}${stderr}` }),
    );
  });

describe.skipIf(!hasRedisServer())('npm run cache', () => {
  let database: TestDatabase;
  let server: TestRedis;
  let server1: CacheProcess;
  let open: (() => unknown)[] = [];

  beforeAll(async () => {
    database = await createTestDatabase(inject('postgres'));
  });

  afterAll(() => database.drop());

  beforeEach(async () => {
    server = await startTestRedis();
    open = [server.stop];
    server1 = await openCacheProcess({ database: database.pool, url: server.url, changesKey });
    open.push(() => server1[Symbol.asyncDispose]());
  });

  afterEach(async () => {
    for (const close of open.reverse()) await close();
  });

  const kept = {
    list: ['', ':+', ':name', '.*', '.id=2'].map((what) => `${what ? organization : ''}/features${what}`),
    whole: [`/features`, `${organization}/features`],
    one: [`/features`, `${organization}/features.*`, `${organization}/features.id=1`],
    users: ['/users', `${organization}/users`],
    stranger: ['/features', `${other}/features`],
  };

  /** Keys of what is answered without being made. */
  const keepAll = async () => {
    for (const [key, tags] of Object.entries(kept)) await server1.ask(`s:Page:d:public:${key}`, () => '{}', tags);
    await expect.poll(() => server1.writes.length, patience).toBe(Object.keys(kept).length);
  };
  const stillKept = async () => {
    const found: string[] = [];
    for (const key of Object.keys(kept)) {
      const answer = await server1.cache.find(`s:Page:d:public:${key}`, server1.operation);
      if (answer && 'body' in answer) found.push(key);
      else (answer as { drop(): void } | null)?.drop();
    }
    return found;
  };

  test.each([
    [`${organization}/features`, ['one', 'users', 'stranger']],
    [`${organization}/features.id=1`, ['list', 'whole', 'users', 'stranger']],
    [`${organization}/features*`, ['users', 'stranger']],
    [`${organization}/*`, ['stranger']],
    ['/features', ['users']],
    ['*/features', ['users']],
    ['*', []],
    ['*eatures', []],
  ])('what %s names goes, from memory and from Redis; the others stay', async (tag, expected) => {
    await keepAll();
    await announceChange(server1.redis, changesKey, changeOfPurge(tag, ['features', 'users']));
    expect(await stillKept()).toEqual(expected);
    expect(server1.outcomes.slice(Object.keys(kept).length)).not.toContain('l2');
  });

  test('purge: what was made of it goes', async () => {
    await keepAll();
    const { code, output } = await run(server.url, 'purge', `${organization}/features*`);
    expect([code, output]).toEqual([0, `purged: ${organization}/features, ${organization}/features.*\n`]);
    expect(await stillKept()).toEqual(['users', 'stranger']);
  });

  test('clear: nothing stays', async () => {
    await keepAll();
    expect((await run(server.url, 'clear')).output).toBe('cleared: 5 answers deleted\n');
    expect(await stillKept()).toEqual([]);
    expect(await server1.redis.run((client) => client.keys('tributary:answer:*'))).toEqual([]);
  });

  test('stats: answers by operation, changes, who follows', async () => {
    await keepAll();
    await server1.ask('s::d:public:{}', () => 'x');
    await server1.cache.onWrite([`${organization}/users`]);
    await expect.poll(() => server1.writes.length).toBe(6);
    const { code, output } = await run(server.url, 'stats');
    expect(code).toBe(0);
    expect(output).toMatch(/^answers in Redis: 6, about \d+\.\d kB\n {2}5 of Page\n {2}1 of \(no name\)\n/);
    expect(output).toMatch(/changes in the log: \d+, the last at \d{4}-\d\d-\d\dT/);
    expect(output).toContain('processes that follow them: at least one\n');
    expect(output).toMatch(/memory of Redis: \d+\.\d [kM]B, no limit\n/);
    const empty = await startTestRedis();
    open.push(empty.stop);
    expect((await run(empty.url, 'stats')).output).toMatch(/answers in Redis: 0, .*\nchanges in the log: 0, none yet/);
  });

  test('bad arguments, no Redis in the settings, and none that answers are told in one line', async () => {
    const nobody = `redis://127.0.0.1:${await findFreePort()}`;
    const outcomes = await Promise.all([
      run(server.url, 'purge'),
      run(server.url, 'purge', `${organization}/feature`),
      run('', 'stats'),
      run(nobody, 'clear'),
    ]);
    expect(outcomes.map(({ code }) => code)).toEqual([1, 1, 1, 1]);
    expect(outcomes.map(({ output }) => output)).toEqual([
      "error: missing required argument 'tag'\n",
      expect.stringMatching(/^feature is no table: expected one of .*features, .*\n$/),
      expect.stringMatching(/^REDIS_URL is not set: .*\n$/),
      expect.stringMatching(/^REDIS_URL: no connection .*\n$/),
    ]);
  });
});

test.each([
  ['features', /^features: expected ORGANIZATION\/table, /],
  [`${organization}/feature`, /^feature is no table: expected one of features, users$/],
  [`${organization}/feature*`, /^feature is no table/],
  ['*/feature', /^feature is no table/],
  ['/x; drop', /: expected ORGANIZATION/],
  ['', /: expected ORGANIZATION/],
  [`${organization.toUpperCase().replace('C0DE', 'C0D')}/features`, /: expected ORGANIZATION/],
])('a purge of %s is refused, with what is allowed', (tag, message) => {
  expect(() => changeOfPurge(tag, ['users', 'features'])).toThrow(message);
});
