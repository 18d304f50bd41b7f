import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';
import { takeLease } from './making-leases.ts';
import { changeEverything } from './redis-invalidation-log.ts';
import { type CacheProcess, type CacheProcessOptions, openCacheProcess } from './testing-cache-process.ts';

/** Longer than a process takes to lose a Redis that is away, and to trust one that is back. */
const patience = { timeout: 10_000 };

describe.skipIf(!hasRedisServer())('what all processes keep', () => {
  let database: TestDatabase;
  let server: TestRedis;
  let open: (() => unknown)[] = [];
  let made = 0;

  beforeAll(async () => {
    database = await createTestDatabase(inject('postgres'));
  });

  afterAll(() => database.drop());

  beforeEach(async () => {
    made = 0;
    server = await startTestRedis();
    open = [server.stop];
  });

  afterEach(async () => {
    for (const close of open.reverse()) await close();
  });

  const start = async (options: Partial<CacheProcessOptions> = {}): Promise<CacheProcess> => {
    const process = await openCacheProcess({ database: database.pool, url: server.url, ...options });
    open.push(() => process[Symbol.asyncDispose]());
    return process;
  };

  const make = (body: string) => () => {
    made += 1;
    return body;
  };

  /** Has an answer in Redis. */
  const keep = async (process: CacheProcess, key: string, body: string, tags?: string[]) => {
    const before = process.writes.length;
    expect(await process.ask(key, make(body), tags)).toBe(body);
    await expect.poll(() => process.writes.slice(before)).toEqual(['stored']);
  };

  describe('an answer', () => {
    test('that one process made is the others’, too: the same bytes, of the same age', async () => {
      const [one, other] = [await start(), await start()];
      const body = JSON.stringify({ data: 'ü'.repeat(2_000) });
      await keep(one, 'k', body);
      expect(await other.ask('k', make('another'))).toBe(body);
      expect(await other.ask('k', make('another'))).toBe(body);
      expect([made, other.outcomes, other.reads]).toEqual([1, ['l2', 'hit'], ['found']]);
      const [first, second] = [one.cache.peek('k', one.operation), other.cache.peek('k', other.operation)];
      const [a, b] = await Promise.all([first, second]);
      expect(b).toMatchObject({ etag: a!.etag, tags: a!.tags, position: a!.position });
      expect(Math.abs(b!.madeAtMs - a!.madeAtMs)).toBeLessThan(50);
      expect(Math.abs(b!.expiresAtMs - a!.expiresAtMs)).toBeLessThan(50);
    });

    test('is not found by other code, which may make another of the same data', async () => {
      const [one, other] = [await start(), await start({ tier: { deployment: 'other' } })];
      await keep(one, 'k', 'old');
      expect(await other.ask('k', make('new'))).toBe('new');
      expect(other.reads).toEqual(['absent']);
    });

    test('is of no use after a change of what it was made of, on any process', async () => {
      const [one, other] = [await start(), await start()];
      await keep(one, 'k', 'old', ['a', 'b']);
      await keep(one, 'of-other-things', 'same', ['c']);
      await other.cache.onWrite(['b']);
      expect(await other.ask('k', make('new'))).toBe('new');
      expect(other.reads).toEqual(['found']);
      expect(await one.ask('k', make('another'))).toBe('new');
      expect(await other.ask('of-other-things', make('another'))).toBe('same');
    });

    test('is given to who comes later as long as somebody has followed the changes', async () => {
      const one = await start();
      await keep(one, 'k', 'same');
      await keep(one, 'changed', 'old', ['b']);
      await one.cache.onWrite(['b']);
      const later = await start();
      expect(await later.ask('k', make('another'))).toBe('same');
      expect(await later.ask('changed', make('new'))).toBe('new');
    });

    test('is found there again when this process has no space for it', async () => {
      const process = await start({ cache: { maxBytes: 1 } });
      await keep(process, 'k', 'same');
      expect(await process.ask('k', make('another'))).toBe('same');
      expect(process.outcomes).toEqual(['miss', 'l2']);
    });

    test('that something changed under while it was made is nowhere', async () => {
      const [one, other] = [await start(), await start()];
      await one.ask('k', async () => {
        await other.cache.onWrite(['a']);
        await other.ask('unrelated', make('x'), ['z']);
        // Whoever asks meanwhile reads the log on.
        await one.cache.peek('unrelated', one.operation);
        return 'old';
      });
      expect(one.races()).toBe(1);
      expect(await other.ask('k', make('new'))).toBe('new');
      expect(other.reads.at(-1)).toBe('absent');
    });

    test('goes when it expires', async () => {
      const process = await start();
      await keep(process, 'k', 'x');
      const left = await process.redis.run((client) => client.pTTL('tributary:answer:code:k'));
      expect(left).toBeGreaterThan(260_000);
      expect(left).toBeLessThanOrEqual(300_000);
    });

    test('that is made faster than Redis answers is not shared, nor looked for again', async () => {
      const process = await start({ tier: { minMakingMs: 10_000 }, cache: { maxBytes: 1 } });
      await process.ask('k', make('x'));
      await process.ask('k', make('x'));
      expect([process.reads, process.writes, process.outcomes]).toEqual([['absent'], [], ['miss', 'miss']]);
    });

    test('that is too large is not shared', async () => {
      const noise = randomBytes(1024 * 1024).toString('base64');
      const process = await start();
      expect(await process.ask('k', make(noise))).toBe(noise);
      await expect.poll(() => process.writes, patience).toEqual(['skipped']);
    });

    test.each([
      ['another version', (text: string) => `q${text.slice(1)}`],
      ['half of it', (text: string) => text.slice(0, text.length / 2)],
      ['no answer', () => 'p{"etag":1}\nbody'],
      ['nothing', () => ''],
    ])('that cannot be read (%s) is made anew, and replaced', async (_name, spoil) => {
      const [one, other] = [await start(), await start()];
      await keep(one, 'k', 'x'.repeat(2_000));
      const name = 'tributary:answer:code:k';
      const text = await one.redis.run((client) => client.get(name));
      await one.redis.run((client) => client.set(name, spoil(text!)));
      expect(await other.ask('k', make('new'))).toBe('new');
      expect(other.reads).toEqual(['unreadable']);
      await expect.poll(() => other.writes).toEqual(['stored']);
      expect(await (await start()).ask('k', make('another'))).toBe('new');
    });
  });

  describe('nothing from before', () => {
    test('a change of everything is used', async () => {
      const [one, other] = [await start(), await start()];
      await keep(one, 'k', 'old');
      expect(await changeEverything(one.redis, 'test:changes')).toBe(true);
      expect(await other.ask('k', make('new'))).toBe('new');
      expect(other.reads).toEqual(['found']);
    });

    test('a loss of the log is used, though Redis has it still', async () => {
      const values = await startTestRedis();
      open.push(values.stop);
      const [one, other] = [await start({ valuesUrl: values.url }), await start({ valuesUrl: values.url })];
      await keep(one, 'k', 'old');
      await other.ask('unrelated', make('x'));
      await server.kill();
      expect(await other.ask('k', make('newer'))).toBe('newer');
      expect(other.outcomes.at(-1)).toBe('bypass');
      await server.start();
      const askAgain = async () => {
        expect(await other.ask('k', make('newest'))).toBe('newest');
        return other.outcomes.at(-1);
      };
      await expect.poll(askAgain, patience).not.toBe('bypass');
      expect([other.outcomes.at(-1), other.reads.at(-1)]).toEqual(['miss', 'found']);
    });

    test('an end of all who followed the changes is used by who comes later', async () => {
      const one = await start();
      await keep(one, 'k', 'old');
      await one[Symbol.asyncDispose]();
      const later = await start();
      const isFollowed = () => later.redis.run((client) => client.exists('test:changes:followed'));
      await expect.poll(isFollowed, patience).toBe(0);
      expect(await later.ask('k', make('new'))).toBe('new');
    });
  });

  describe('one that is expensive', () => {
    const expensive = async () => {
      const process = await start();
      process.operation.makingMs = 400;
      return process;
    };

    test('is made once for all who ask at a time, on two processes', async () => {
      const [one, other] = [await expensive(), await expensive()];
      const gate = Promise.withResolvers<void>();
      const slow = async () => {
        made += 1;
        await gate.promise;
        return 'x';
      };
      const asked = [one, other].flatMap((process) => Array.from({ length: 20 }, () => process.ask('k', slow)));
      await expect.poll(() => made).toBe(1);
      await expect.poll(() => one.reads.length + other.reads.length).toBeGreaterThan(3);
      expect(await one.redis.run((client) => client.pTTL('tributary:making:code:k'))).toBeGreaterThan(0);
      gate.resolve();
      expect(new Set(await Promise.all(asked))).toEqual(new Set(['x']));
      expect(made).toBe(1);
      const outcomes = [...one.outcomes, ...other.outcomes];
      const count = (outcome: string) => outcomes.filter((each) => each === outcome).length;
      expect([count('miss'), count('l2'), count('shared')]).toEqual([1, 1, 38]);
      expect([...one.waits, ...other.waits]).toEqual(['answered']);
      // Given back, and not only left to end.
      const info = () => one.redis.run((client) => client.info('commandstats'));
      await expect.poll(info).toMatch(/cmdstat_eval:calls=[12],/);
    });

    test('gives its lease back once, when the others can read it', async () => {
      const process = await expensive();
      await keep(process, 'k', 'x');
      await nextTurn();
      const info = await process.redis.run((client) => client.info('commandstats'));
      expect(info).toMatch(/cmdstat_eval:calls=1,/);
    });

    test('waits for no owner who has died longer than the lease', async () => {
      const process = await expensive();
      expect(await takeLease(process.redis, 'code:k', 200)).not.toBe('taken');
      expect(await process.ask('k', make('x'))).toBe('x');
      expect(process.waits).toEqual(['leased']);
      process.operation.makingMs = 100;
      await takeLease(process.redis, 'code:other', 60_000);
      expect(await process.ask('other', make('y'))).toBe('y');
      expect(process.waits).toEqual(['leased', 'over']);
    });

    test('is made anew for who asks after a change, though another makes it from before', async () => {
      const [one, other] = [await expensive(), await expensive()];
      const gate = Promise.withResolvers<void>();
      const before = one.ask('k', async () => {
        made += 1;
        await gate.promise;
        return 'old';
      });
      await expect.poll(() => made).toBe(1);
      await other.cache.onWrite(['a']);
      const after = other.ask('k', make('new'));
      await expect.poll(() => other.reads.length).toBeGreaterThan(1);
      gate.resolve();
      expect(await Promise.all([before, after])).toEqual(['old', 'new']);
      expect(await one.ask('k', make('another'))).toBe('new');
    });

    test('is kept though something changed while it was waited for', async () => {
      const [one, other] = [await expensive(), await expensive()];
      const gate = Promise.withResolvers<void>();
      const first = one.ask('k', async () => {
        made += 1;
        await gate.promise;
        return 'old';
      });
      await expect.poll(() => made).toBe(1);
      const waiting = other.ask('k', make('new'));
      await expect.poll(() => other.reads.length).toBeGreaterThan(1);
      await one.cache.onWrite(['a']);
      gate.resolve();
      expect(await Promise.all([first, waiting])).toEqual(['old', 'new']);
      expect([one.races(), other.races()]).toEqual([1, 0]);
      expect(await other.ask('k', make('another'))).toBe('new');
    });

    test('that could not be made is made by the next', async () => {
      const [one, other] = [await expensive(), await expensive()];
      const gate = Promise.withResolvers<string>();
      const failing = one.ask('k', () => {
        made += 1;
        return gate.promise;
      });
      await expect.poll(() => made).toBe(1);
      const next = other.ask('k', make('x'));
      await expect.poll(() => other.reads.length).toBeGreaterThan(1);
      gate.reject(new Error('no database'));
      await expect(failing).rejects.toThrow('no database');
      expect([await next, other.waits]).toEqual(['x', ['leased']]);
    });

    test('a lease that has ended is not given back by who had it', async () => {
      const { redis } = await start();
      const first = await takeLease(redis, 'code:k', 1);
      const name = 'tributary:making:code:k';
      await expect.poll(() => redis.run((client) => client.exists(name))).toBe(0);
      await takeLease(redis, 'code:k', 60_000);
      if (first !== 'taken') await first?.release();
      expect(await takeLease(redis, 'code:k', 60_000)).toBe('taken');
    });
  });
});
