import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../testing/test-postgres.ts';
import type { Connection } from './connection.ts';
import type { Database, Pool, Statement } from './database.ts';
import { Pipelines } from './pipelines.ts';
import { createPool } from './pool.ts';

describe('a short read is sent', () => {
  interface Standing {
    underWay: number;
    underWaySince: number;
    interruption: Promise<unknown> | null;
    isLost: boolean;
    expiresAt: number;
    ended: number;
  }
  let made: Standing[];
  let pipelines: Pipelines;
  const start = (poolSize = 20) => {
    made = [];
    pipelines = new Pipelines(poolSize, () => {
      const standing = { underWay: 0, underWaySince: 0, interruption: null, isLost: false, expiresAt: 1e9, ended: 0 };
      made.push(standing);
      return Object.assign(standing, {
        end: async () => {
          standing.ended += 1;
        },
      }) as unknown as Connection;
    });
  };
  /** Which one is chosen, by the order in which they were made; null: none. */
  const choose = (now = 0): number | null => {
    const chosen = pipelines.choose(now) as unknown as Standing | null;
    if (!chosen) return null;
    chosen.underWay += 1;
    return made.indexOf(chosen);
  };

  test.each([
    [1, 0],
    [3, 0],
    [4, 1],
    [8, 2],
    [20, 4],
    [200, 4],
  ])('in a pool of %i on up to %i connections', (poolSize, size) => {
    start(poolSize);
    const chosen = new Set(Array.from({ length: 50 }, () => choose()));
    expect(pipelines.size).toBe(size);
    expect(made).toHaveLength(size);
    expect(chosen).toEqual(new Set(size === 0 ? [null] : made.keys()));
  });

  test('where nothing is under way, else where the least is', () => {
    start();
    expect(choose()).toBe(0);
    made[0]!.underWay = 0;
    expect([choose(), choose(), choose(), choose()]).toEqual([0, 1, 2, 3]);
    made[2]!.underWay = 5;
    made[0]!.underWay = 5;
    made[1]!.underWay = 4;
    expect([choose(), choose(), choose(), choose()]).toEqual([3, 3, 3, 1]);
  });

  test('behind no statement that takes long, and to none that is full, is cancelling, or is of an age', () => {
    start();
    for (let index = 0; index < 4; index += 1) choose();
    const [slow, full, cancelling, old] = made as [Standing, Standing, Standing, Standing];
    for (const each of made) each.underWaySince = 1_000;
    slow.underWaySince = 900;
    full.underWay = 64;
    cancelling.interruption = Promise.resolve();
    old.expiresAt = 500;
    expect(choose(1_010)).toBe(null);
    // Old ones end when nothing is under way on them, and another is made.
    old.underWay = 0;
    expect(choose(1_010)).toBe(4);
    expect(made.map(({ ended }) => ended)).toEqual([0, 0, 0, 1, 0]);
    slow.underWay = 0;
    expect(choose(1_010)).toBe(0);
    cancelling.interruption = null;
    expect(choose(1_010)).toBe(2);
  });

  test('to a new one after one was lost', () => {
    start(4);
    choose();
    made[0]!.isLost = true;
    expect(choose()).toBe(1);
    expect(made[0]!.ended).toBe(0);
  });
});

/** Against a Postgres of its own. */
describe('pipelines', () => {
  let server: TestPostgres;
  let pool: Pool;

  beforeAll(async () => {
    server = await startTestPostgres();
  });
  afterEach(() => pool.close());
  afterAll(() => server.remove());

  const makePool = (size: number) => {
    pool = createPool({ connection: server.url, size });
  };
  const shortRead = (text: string): Statement => ({
    name: 'shortRead',
    text,
    isRead: true,
    organizationIndex: 0,
    mostRows: () => 1,
  });
  const request = (signal = new AbortController().signal): Database => pool.within({ signal, organizationId: 'x' });
  const echo = shortRead('select $1::text as organization, $2::integer as number, pg_backend_pid() as pid');
  const sleep = shortRead('select $1::text, pg_sleep($2)');
  const messageOf = (work: Promise<unknown>) =>
    work.then(
      () => 'ok',
      (error: Error) => error.message,
    );
  const countRunning = async (text: string): Promise<number> => {
    const [row] = await pool.run<{ count: number }>(
      {
        name: 'count',
        text: `select count(*)::integer as count from pg_stat_activity where state = 'active' and query like '${text}%'`,
      },
      [],
    );
    return row!.count;
  };

  test('answer each request its own rows, on few connections', async () => {
    makePool(8);
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, number) =>
        request().run<{ number: number; pid: number }>(echo, ['x', String(number)]),
      ),
    );
    expect(answers.map(([row]) => Number(row!.number))).toEqual(Array.from({ length: 500 }, (_, number) => number));
    expect(pool.stats()).toMatchObject({ size: 8, running: 0, waiting: 0 });
    expect(pool.stats().open).toBeLessThanOrEqual(8);
  });

  test('plan a statement once, whatever its values', async () => {
    makePool(4);
    const plans = shortRead(`select generic_plans, custom_plans from pg_prepared_statements
      where statement = '${echo.text}' and $1 = $1`);
    for (let number = 0; number < 10; number += 1) await request().run(echo, ['x', number]);
    expect(await request().run(plans, ['x'])).toEqual([{ generic_plans: '10', custom_plans: '0' }]);
  });

  test('leave connections to all else: long reads, those of nobody, and transactions', async () => {
    makePool(4);
    const pidOf = (rows: { pid: number }[]) => rows[0]!.pid;
    const shared = pidOf(await request().run(echo, ['x', 1]));
    const { mostRows: _, ...unbounded } = echo;
    const others = await Promise.all([
      request().run<{ pid: number }>(unbounded, ['x', 1]).then(pidOf),
      request()
        .run<{ pid: number }>({ ...echo, mostRows: () => 1_001 }, ['x', 1])
        .then(pidOf),
      pool.run<{ pid: number }>(echo, ['x', 1]).then(pidOf),
      request().transaction((transaction) => transaction.run<{ pid: number }>(echo, ['x', 1]).then(pidOf)),
    ]);
    expect(others).not.toContain(shared);
    expect(pidOf(await request().run(echo, ['x', 1]))).toBe(shared);
  });

  test('are not cancelled when a request leaves: those behind it get their answers', async () => {
    makePool(4);
    await request().run(echo, ['x', 0]);
    const leaving = new AbortController();
    const first = messageOf(request(leaving.signal).run(sleep, ['x', 0.2]));
    const behind = [1, 2, 3].map((number) => request().run<{ number: number }>(echo, ['x', number]));
    const second = messageOf(request(leaving.signal).run(sleep, ['x', 0.01]));
    leaving.abort(new Error('gone'));
    expect(await Promise.all([first, second])).toEqual(['gone', 'gone']);
    expect((await Promise.all(behind)).map(([row]) => row!.number)).toEqual([1, 2, 3]);
  });

  test('are freed of a statement that does not end: those behind run elsewhere, it is cancelled when its request leaves', {
    timeout: 30_000,
  }, async () => {
    makePool(4);
    await request().run(echo, ['x', 0]);
    const leaving = new AbortController();
    const stuck = messageOf(request(leaving.signal).run(sleep, ['x', 60]));
    const startedAt = performance.now();
    const behind = [1, 2, 3].map((number) => request().run<{ number: number }>(echo, ['x', number]));
    expect((await Promise.all(behind)).map(([row]) => row!.number)).toEqual([1, 2, 3]);
    // Within a second and the half until somebody looks; what comes later does not wait at all.
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(await request().run<{ number: number }>(echo, ['x', 4])).toMatchObject([{ number: 4 }]);
    expect(await countRunning('select $1::text, pg_sleep')).toBe(1);
    leaving.abort(new Error('gone'));
    expect(await stuck).toBe('gone');
    await expect.poll(() => countRunning('select $1::text, pg_sleep'), { timeout: 10_000 }).toBe(0);
    expect(await request().run<{ number: number }>(echo, ['x', 5])).toMatchObject([{ number: 5 }]);
  });

  test('that are ended do not show', { timeout: 30_000 }, async () => {
    makePool(16);
    const terminate = `select count(pg_terminate_backend(pid))::integer as ended from (select pid from pg_stat_activity
      where query like '%as organization, $2::integer as number%' and pid <> pg_backend_pid()
      order by random() limit 1) as one`;
    let ended = 0;
    const all = Array.from({ length: 100 }, (_, number) => number);
    for (let round = 0; round < 50; round += 1) {
      const answers = all.map((number) => request().run<{ number: number }>(echo, ['x', number]));
      const [row] = await pool.run<{ ended: number }>({ name: 'terminate', text: terminate }, []);
      ended += row!.ended;
      expect((await Promise.all(answers)).map(([answer]) => Number(answer!.number))).toEqual(all);
    }
    expect(ended).toBeGreaterThan(40);
  });

  test('of any statements, failing and left ones among them, answer what each would alone', {
    timeout: 60_000,
  }, async () => {
    makePool(4);
    const rows = shortRead(
      `select $1::text as organization, repeat('ä', length) as text, number / (number - $2::integer) as quotient
        from unnest($3::integer[]) with ordinality as given(length, number)`,
    );
    const asked = fc.record({
      // At this row it divides by zero: after some rows have been sent, or none.
      failsAt: fc.integer({ min: 0, max: 6 }),
      lengths: fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 8 }),
      isLeft: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 30 }), async (all) => {
        const ends = await Promise.all(
          all.map(async ({ failsAt, lengths, isLeft }) => {
            const leaving = new AbortController();
            const running = request(leaving.signal).run(rows, ['x', failsAt, lengths]);
            if (isLeft) queueMicrotask(() => leaving.abort(new Error('gone')));
            return running.then(
              (found) => found,
              (error: Error) => error.message,
            );
          }),
        );
        const expected = all.map(({ failsAt, lengths, isLeft }) => {
          if (isLeft) return 'gone';
          if (failsAt > 0 && failsAt <= lengths.length) return 'division by zero';
          return lengths.map((length, index) => ({
            organization: 'x',
            text: 'ä'.repeat(length),
            quotient: String(Math.trunc((index + 1) / (index + 1 - failsAt))),
          }));
        });
        expect(ends).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });
});
