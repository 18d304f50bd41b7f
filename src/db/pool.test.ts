import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../testing/test-postgres.ts';
import type { Database, Pool, Statement } from './database.ts';
import { createPool, type PoolOptions } from './pool.ts';
import { arg, statement } from './statement.ts';

/** The pool against a Postgres of its own, which is cancelled, frozen, killed and started again. */
let server: TestPostgres;
let pool: Pool;
const pools: Pool[] = [];

const one: Statement = { name: 'one', text: 'select 1 as one', isRead: true };
const ofOrganization = (text: string): Statement => ({
  name: 'ofOrganization',
  text,
  isRead: true,
  organizationIndex: 0,
});
const sleep = (seconds: number): Statement => ({ name: 'sleep', text: `select pg_sleep(${seconds})`, isRead: true });
const insert: Statement = { name: 'insert', text: 'insert into written values ($1)' };
const listWritten: Statement = { name: 'listWritten', text: 'select id from written order by id', isRead: true };

beforeAll(async () => {
  server = await startTestPostgres();
  await makePool().run({ name: 'create', text: 'create table written (id integer)' }, []);
});

afterEach(() => Promise.all(pools.splice(0).map((made) => made.close())));
afterAll(() => server.remove());

function makePool(options: Partial<PoolOptions> = {}): Pool {
  pool = createPool({ connection: server.url, size: 4, ...options });
  pools.push(pool);
  return pool;
}

const codeOf = (error: unknown) => (error as { extensions?: { code?: string }; code?: string }).extensions?.code;
const codes = async (work: Promise<unknown>[]) =>
  (await Promise.allSettled(work)).map((end) => (end.status === 'fulfilled' ? 'ok' : codeOf(end.reason)));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const backendsAtWork = async (): Promise<number> => {
  const text = `select count(*)::integer as count from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'`;
  const [row] = await pool.run<{ count: number }>({ name: 'count', text }, []);
  return row!.count;
};
/** Milliseconds until the pool answers again; its failures on the way must be OVERLOADED. */
async function timeToRecover(from: Pool): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const end = await from.run(one, []).then(() => 'ok', codeOf);
    if (end === 'ok') return performance.now() - startedAt;
    expect(end).toBe('OVERLOADED');
    if (performance.now() - startedAt > 20_000) throw new Error('it does not come back');
    await pause(20);
  }
}

describe('waiting', () => {
  test('goes in order of arrival, and is bounded', async () => {
    makePool({ size: 2, queueSize: 10 });
    const ends = await codes(Array.from({ length: 50 }, () => pool.run(sleep(0.05), [])));
    expect(ends.filter((end) => end === 'ok')).toHaveLength(12);
    expect(ends.filter((end) => end === 'OVERLOADED')).toHaveLength(38);
    expect(ends.slice(0, 12).every((end) => end === 'ok')).toBe(true);
    expect(pool.stats()).toMatchObject({ size: 2, open: 2, running: 0, waiting: 0 });
  });

  test('is bounded in time, too: whoever would wait for more than two seconds is told at once', async () => {
    makePool({ size: 1 });
    for (let round = 0; round < 12; round += 1) await pool.run(sleep(0.1), []);
    const startedAt = performance.now();
    const ends = await codes(Array.from({ length: 200 }, () => pool.run(sleep(0.1), [])));
    const served = ends.filter((end) => end === 'ok').length;
    expect(new Set(ends)).toEqual(new Set(['ok', 'OVERLOADED']));
    expect(served).toBeGreaterThan(10);
    expect(served).toBeLessThan(80);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  test('is shorter for a request that has begun, and never refused to it', async () => {
    makePool({ size: 1, queueSize: 2 });
    const begun = pool.within({ signal: new AbortController().signal, organizationId: 'x' });
    const ask = ofOrganization('select pg_sleep(0.02), $1::text');
    await begun.run(ask, ['x']);
    const order: string[] = [];
    const fresh = Array.from({ length: 3 }, (_, index) =>
      pool.run(sleep(0.02), []).then(() => order.push(`fresh ${index}`)),
    );
    await Promise.all([...fresh, begun.run(ask, ['x']).then(() => order.push('begun'))]);
    expect(order).toEqual(['fresh 0', 'begun', 'fresh 1', 'fresh 2']);
  });

  test('opens no more connections than it may', async () => {
    makePool({ size: 3 });
    await Promise.all(Array.from({ length: 60 }, () => pool.run(one, [])));
    expect(pool.stats().open).toBe(3);
  });

  test('ends with the request, and the connection goes to the next', async () => {
    makePool({ size: 1 });
    const held = pool.run(sleep(0.3), []);
    const request = new AbortController();
    const waiting = pool.within({ signal: request.signal, organizationId: 'x' }).transaction(async () => 'done');
    const next = pool.run(one, []);
    request.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await held;
    expect(await next).toEqual([{ one: 1 }]);
    expect(pool.stats()).toMatchObject({ running: 0, waiting: 0 });
  });
});

describe('a request that is over', () => {
  test('has its statement cancelled at the server, and the connection is used again', async () => {
    makePool({ size: 1 });
    await pool.run(one, []);
    const request = new AbortController();
    const database = pool.within({ signal: request.signal, organizationId: 'x' });
    const startedAt = performance.now();
    const running = database.run(ofOrganization('select pg_sleep(20), $1::text'), ['x']);
    setTimeout(() => request.abort(new Error('over')), 100);
    await expect(running).rejects.toThrow('over');
    expect(await pool.run(one, [])).toEqual([{ one: 1 }]);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(await backendsAtWork()).toBe(0);
  });

  test('starts no statement', async () => {
    makePool();
    const database = pool.within({ signal: AbortSignal.abort(new Error('over')), organizationId: 'x' });
    await expect(database.run(ofOrganization('select $1::text'), ['x'])).rejects.toThrow('over');
    await expect(database.transaction(async () => 1)).rejects.toThrow('over');
    expect(pool.stats().open).toBe(0);
  });

  test('before its statement is sent gets its own reason, not that of the connection it had', async () => {
    makePool({ size: 1 });
    const request = new AbortController();
    const database = pool.within({ signal: request.signal, organizationId: 'x' });
    const running = database.run(ofOrganization('select $1::text'), ['x']);
    queueMicrotask(() => request.abort(new Error('over')));
    await expect(running).rejects.toThrow('over');
    expect(await pool.run(one, [])).toEqual([{ one: 1 }]);
  });

  test('rolls its transaction back', async () => {
    makePool({ size: 1 });
    const request = new AbortController();
    const within = pool.within({ signal: request.signal, organizationId: 'x' });
    const work = within.transaction(async (transaction) => {
      await transaction.run({ ...insert, text: 'insert into written select 900 where $1 = $1', organizationIndex: 0 }, [
        'x',
      ]);
      setTimeout(() => request.abort(new Error('over')), 50);
      await transaction.run(ofOrganization('select pg_sleep(20), $1::text'), ['x']);
    });
    await expect(work).rejects.toThrow('over');
    expect(await pool.run(listWritten, [])).not.toContainEqual({ id: 900 });
  });

  test('of many requests cancels only its own statement', { timeout: 60_000 }, async () => {
    makePool({ size: 4 });
    let wrong = 0;
    const shots = Array.from({ length: 400 }, async (_, index) => {
      const request = new AbortController();
      const database = pool.within({ signal: request.signal, organizationId: 'x' });
      const isCut = index % 3 === 0;
      if (isCut) setTimeout(() => request.abort(new Error('over')), (index % 17) * 2);
      const text = isCut ? 'select pg_sleep(0.05), $1::text' : 'select pg_sleep(0.001), $1::text';
      const end = await database.run(ofOrganization(text), ['x']).then(
        () => 'ok',
        (error: Error) => error.message,
      );
      if (!isCut && end !== 'ok') wrong += 1;
    });
    await Promise.all(shots);
    expect(wrong).toBe(0);
    await pause(100);
    expect(pool.stats()).toMatchObject({ running: 0, waiting: 0 });
  });
});

test('a cancel that comes too late does not meet the next statement', { timeout: 60_000 }, async () => {
  makePool({ size: 1 });
  for (let round = 0; round < 150; round += 1) {
    const request = new AbortController();
    const database = pool.within({ signal: request.signal, organizationId: 'x' });
    const cut = database.run(ofOrganization('select pg_sleep(0.004), $1::text'), ['x']).catch(() => {});
    setTimeout(() => request.abort(new Error('over')), 3 + (round % 5));
    await cut;
    expect(await codes([pool.run(sleep(0.004), [])])).toEqual(['ok']);
  }
});

describe('the second wall between organizations', () => {
  const byOrganization = statement('byOrganization', sql`select ${arg('organizationId')}::text as id`);
  const byNone = statement('byNone', sql`select 1 as id`);
  const within = (organizationId: string | null): Database =>
    makePool().within({ signal: new AbortController().signal, organizationId });

  test('lets statements of the viewer’s organization pass', async () => {
    expect(await byOrganization.run(within('mine'), { organizationId: 'mine' })).toEqual([{ id: 'mine' }]);
  });

  test.each([
    ['of another organization', () => byOrganization.run(within('mine'), { organizationId: 'other' })],
    ['of no organization', () => byNone.run(within('mine'), {})],
    ['of nobody', () => byOrganization.run(within(null), { organizationId: 'mine' })],
    ['in a transaction', () => within('mine').transaction((database) => byNone.run(database, {}))],
    [
      'in a savepoint',
      () => within('mine').transaction((outer) => outer.transaction((inner) => byNone.run(inner, {}))),
    ],
  ])('refuses a statement %s', async (_label, work) => {
    await expect(work()).rejects.toThrow(/does not name the viewer's organization/);
  });
});

describe('a transaction', () => {
  test('is all or nothing, also in its parts', async () => {
    makePool({ size: 1 });
    await pool.transaction(async (outer) => {
      await outer.run(insert, [1]);
      await expect(
        outer.transaction(async (inner) => {
          await inner.run(insert, [2]);
          throw new Error('no');
        }),
      ).rejects.toThrow('no');
      await outer.transaction((inner) => inner.run(insert, [3]));
    });
    await expect(
      pool.transaction(async (database) => {
        await database.run(insert, [4]);
        await database.run({ name: 'wrong', text: 'select wrong' }, []);
      }),
    ).rejects.toThrow(/wrong/);
    const ids = (await pool.run<{ id: number }>(listWritten, [])).map(({ id }) => id);
    expect(ids.filter((id) => id < 10)).toEqual([1, 3]);
  });

  test('never goes on outside of itself when its backend was ended', async () => {
    makePool({ size: 2 });
    const work = pool.transaction(async (database) => {
      await database.run(insert, [20]);
      const [row] = await database.run<{ pid: number }>({ name: 'pid', text: 'select pg_backend_pid() as pid' }, []);
      await pool.run({ name: 'terminate', text: 'select pg_terminate_backend($1)' }, [row!.pid]);
      await pause(50);
      await database.run(insert, [21]);
    });
    expect(await codes([work])).toEqual(['TIMEOUT']);
    const ids = (await pool.run<{ id: number }>(listWritten, [])).map(({ id }) => id);
    expect(ids.filter((id) => id === 20 || id === 21)).toEqual([]);
  });
});

describe('a server that fails', () => {
  test('backends ended at random are not seen by reads, and writes are made once or said to be unknown', {
    timeout: 60_000,
  }, async () => {
    makePool({ size: 6 });
    const killer = postgres(server.url, { max: 1, fetch_types: false });
    let isOver = false;
    const killing = (async () => {
      while (!isOver) {
        await killer`select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'tributary' and query <> '' and query not like '%ping%' order by random() limit 1`;
        await pause(5);
      }
      await killer.end();
    })();
    const reads: string[] = [];
    const writes = new Map<number, string>();
    await Promise.all(
      Array.from({ length: 12 }, async (_, worker) => {
        for (let index = 0; index < 60; index += 1) {
          const id = 10_000 + worker * 100 + index;
          reads.push((await codes([pool.run(one, [])]))[0]!);
          const write = () => pool.transaction((database) => database.run(insert, [id]));
          writes.set(id, (await codes([index % 2 ? write() : pool.run(insert, [id])]))[0]!);
        }
      }),
    );
    isOver = true;
    await killing;
    const ids = (await pool.run<{ id: number }>(listWritten, [])).map(({ id }) => id).filter((id) => id >= 10_000);
    expect(new Set(ids).size).toBe(ids.length);
    const acknowledged = [...writes].filter(([, end]) => end === 'ok').map(([id]) => id);
    expect(acknowledged.filter((id) => !ids.includes(id))).toEqual([]);
    const refused = [...writes].filter(([, end]) => end === 'OVERLOADED').map(([id]) => id);
    expect(refused.filter((id) => ids.includes(id))).toEqual([]);
    expect(
      [...new Set(writes.values())].sort().filter((end) => !['OVERLOADED', 'TIMEOUT', 'ok'].includes(end)),
    ).toEqual([]);
    expect(reads.filter((end) => end === 'ok').length / reads.length).toBeGreaterThan(0.9);
    expect(reads.filter((end) => end !== 'ok' && end !== 'OVERLOADED')).toEqual([]);
  });

  test.each([
    ['a write whose connection was lost is not made again', false, 'TIMEOUT', 1],
    ['a read whose connection was lost runs again, three times at most', true, 'OVERLOADED', 3],
  ])('%s', async (_label, isRead, end, attempts) => {
    makePool();
    await pool.run({ name: 'count', text: 'create sequence if not exists attempts' }, []);
    await pool.run({ name: 'reset', text: `select setval('attempts', 1, false)` }, []);
    const text = `select nextval('attempts'), pg_terminate_backend(pg_backend_pid()), pg_sleep(1)`;
    expect(await codes([pool.run({ name: 'fall', text, isRead }, [])])).toEqual([end]);
    expect(await pool.run({ name: 'look', text: 'select last_value::integer as count from attempts' }, [])).toEqual([
      { count: attempts },
    ]);
  });

  test('statements it cancels by itself are TIMEOUT, also the first of a connection', async () => {
    makePool({ connection: `${server.url}?statement_timeout=1`, size: 2 });
    const ends = await codes(Array.from({ length: 20 }, () => pool.run(sleep(0.1), [])));
    expect(new Set(ends)).toEqual(new Set(['TIMEOUT']));
  });

  test('a statement that fails between its rows leaves none of them to the next', async () => {
    makePool({ size: 1 });
    const text = 'select 1 / (5 - number) as share from generate_series(1, 10) as number';
    await expect(pool.run({ name: 'fail', text }, [])).rejects.toThrow('division by zero');
    expect(await pool.run(one, [])).toEqual([{ one: 1 }]);
    await pool.transaction(async (database) => {
      const inner = database.transaction((nested) => nested.run({ name: 'fail', text }, []));
      await expect(inner).rejects.toThrow('division by zero');
      expect(await database.run(one, [])).toEqual([{ one: 1 }]);
    });
    await expect(pool.transaction((database) => database.run({ name: 'fail', text }, []))).rejects.toThrow(/division/);
    expect(await pool.run(one, [])).toEqual([{ one: 1 }]);
  });

  test('that cancels a begin leaves nobody in an aborted transaction', { timeout: 60_000 }, async () => {
    makePool({ connection: `${server.url}?statement_timeout=1`, size: 2 });
    const text = 'select count(*) from generate_series(1, 100)';
    const ends = await codes(
      Array.from({ length: 800 }, (_, index) =>
        index % 2
          ? pool.transaction((database) => database.run({ name: 'count', text }, []))
          : pool.run({ name: 'count', text, isRead: true }, []),
      ),
    );
    expect(ends.filter((end) => end !== 'ok' && end !== 'TIMEOUT')).toEqual([]);
  });

  test('is noticed when it is killed, and used again when it is back', { timeout: 60_000 }, async () => {
    const turns: boolean[] = [];
    makePool({ onAvailability: (isUp) => turns.push(isUp) });
    await Promise.all(Array.from({ length: 8 }, () => pool.run(one, [])));
    await server.kill();
    const ends = await codes(Array.from({ length: 50 }, () => pool.run(one, [])));
    expect(new Set(ends)).toEqual(new Set(['OVERLOADED']));
    expect(pool.stats().isUp).toBe(false);
    await server.start();
    expect(await timeToRecover(pool)).toBeLessThan(2_000);
    expect(turns).toEqual([false, true]);
  });

  test('is noticed when it is frozen: what is new fails fast, what waits is let go, all works when it thaws', {
    timeout: 60_000,
  }, async () => {
    makePool({ size: 2 });
    await Promise.all([pool.run(one, []), pool.run(one, [])]);
    server.freeze();
    try {
      const request = new AbortController();
      setTimeout(() => request.abort(new Error('over')), 4_500);
      const database = pool.within({ signal: request.signal, organizationId: 'x' });
      const text = 'select $1::text';
      const stuck = Array.from({ length: 8 }, () =>
        database.run(ofOrganization(text), ['x']).then(
          () => 'ok',
          (error: Error) => codeOf(error) ?? error.message,
        ),
      );
      await pause(4_000);
      const startedAt = performance.now();
      expect(await codes([pool.run(one, [])])).toEqual(['OVERLOADED']);
      expect(performance.now() - startedAt).toBeLessThan(100);
      expect((await Promise.all(stuck)).sort()).toEqual([...Array(6).fill('OVERLOADED'), 'over', 'over']);
    } finally {
      server.thaw();
    }
    expect(await timeToRecover(pool)).toBeLessThan(2_000);
    await pause(1_500);
    expect(pool.stats()).toMatchObject({ running: 0, waiting: 0, isUp: true });
  });

  test('that was never there is OVERLOADED, and close() ends all of it', async () => {
    makePool({ connection: 'postgres://nobody@127.0.0.1:1/none' });
    expect(await codes([pool.run(one, []), pool.transaction(async () => 1)])).toEqual(['OVERLOADED', 'OVERLOADED']);
    await pool.close();
    expect(await codes([pool.run(one, [])])).toEqual(['OVERLOADED']);
  });
});
