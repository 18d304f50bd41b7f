import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import type { Statement } from '../db/database.ts';
import { createRedis } from '../redis/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';
import { AnswerPause } from './answer-pause.ts';
import { createLocalInvalidationLog, type InvalidationLog } from './invalidation-log.ts';
import { createRedisInvalidationLog } from './redis-invalidation-log.ts';
import { type Question, SemanticCache, type SemanticCacheOptions } from './semantic-cache.ts';

const readDocuments: Statement = { name: 'read', text: '', isRead: true, readTags: () => ['a/documents'] };
const write: Statement = { name: 'write', text: '', isRead: false };
const minSimilarity = 0.9;

let log: InvalidationLog;
let registry: Registry;
let searches: string[];

beforeEach(() => {
  log = createLocalInvalidationLog(() => {});
  registry = new Registry();
  searches = [];
});

afterEach(() => {
  vi.useRealTimers();
});

const open = (options: Partial<SemanticCacheOptions> = {}) => new SemanticCache<string>({ log, registry, ...options });

/** A unit vector: the cosine of two is that of the degrees between them. */
const at = (degrees: number) =>
  Float32Array.of(Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180));

interface Asked extends Partial<Question> {
  degrees?: number;
}

function ask(
  cache: SemanticCache<string>,
  text: string,
  { degrees = 0, ...question }: Asked = {},
  statement = readDocuments,
) {
  const embed = async () => at(degrees);
  const asked = { organizationId: 'a', kind: 'k', text, minSimilarity, embed, ...question };
  return cache.answer(asked, async (note) => {
    note(statement, []);
    searches.push(text);
    return { answer: text, vector: at(degrees) };
  });
}

const outcomesOf = async () => {
  const lines = (await registry.metrics()).split('\n');
  return Object.fromEntries(
    lines.flatMap((line) => {
      const match = /^tributary_semantic_cache_questions_total\{outcome="(\w+)"\} (\d+)/.exec(line);
      return match ? [[match[1]!, Number(match[2])]] : [];
    }),
  );
};

describe('a question', () => {
  test('is answered as the nearest earlier one that is near enough, with how near and how old that is', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const cache = open();
    expect(await ask(cache, 'first')).toMatchObject({ answer: 'first', earlier: null });
    await ask(cache, 'second', { degrees: 30 });
    vi.advanceTimersByTime(7_000);
    const given = await ask(cache, 'third', { degrees: 20 });
    expect(given).toMatchObject({ answer: 'second', earlier: { ageMs: 7_000 } });
    expect(given.earlier!.similarity).toBeCloseTo(Math.cos(Math.PI / 18), 6);
    expect((await ask(cache, 'fourth', { degrees: 14 })).answer).toBe('first');
    expect(searches).toEqual(['first', 'second']);
    expect(await outcomesOf()).toEqual({ hit: 2, shared: 0, miss: 2, bypass: 0 });
    expect(await registry.metrics()).toContain('tributary_semantic_cache_count 2');
  });

  test('is searched anew just below the least similarity, and answered at it', async () => {
    const cache = open();
    await ask(cache, 'first');
    const cosine = at(10)[0]!;
    expect((await ask(cache, 'above', { degrees: 10, minSimilarity: cosine + 1e-6 })).earlier).toBeNull();
    cache.clear();
    await ask(cache, 'again');
    expect((await ask(cache, 'at', { degrees: 10, minSimilarity: cosine })).answer).toBe('again');
  });

  test.each([
    ['another organization', { organizationId: 'b' }],
    ['another kind', { kind: 'l' }],
  ])('is not answered as one of %s, though its text is the same', async (_case, other) => {
    const cache = open();
    await ask(cache, 'same');
    expect((await ask(cache, 'same', other)).earlier).toBeNull();
    await ask(cache, 'own', { degrees: 90 });
    expect((await ask(cache, 'other', { degrees: 90, ...other })).earlier).toBeNull();
    await Promise.all([ask(cache, 'both', { degrees: 180 }), ask(cache, 'both', { degrees: 180, ...other })]);
    expect(searches).toEqual(['same', 'same', 'own', 'other', 'both', 'both']);
  });

  test('is searched anew when the earlier one is too old', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const cache = open({ ttlMs: 1_000 });
    await ask(cache, 'first');
    vi.advanceTimersByTime(999);
    expect((await ask(cache, 'second')).answer).toBe('first');
    vi.advanceTimersByTime(1);
    expect((await ask(cache, 'third')).answer).toBe('third');
    expect(cache.count).toBe(1);
  });

  test('is searched without a vector, and not kept', async () => {
    const cache = open();
    await ask(cache, 'kept');
    const embed = async () => null;
    expect((await ask(cache, 'other', { embed })).answer).toBe('other');
    const question = { organizationId: 'a', kind: 'k', text: 'once', minSimilarity, embed };
    await cache.answer(question, async () => ({ answer: 'once', vector: null }));
    expect((await ask(cache, 'third')).answer).not.toBe('once');
  });

  test('is kept with a vector of its own: the one given may be a part of what a batch of others gave', async () => {
    const cache = open();
    const batch = Float32Array.of(1, 0, 0, 1);
    const question = { organizationId: 'a', kind: 'k', text: 'first', minSimilarity, embed: async () => at(0) };
    await cache.answer(question, async () => ({ answer: 'first', vector: batch.subarray(0, 2) }));
    batch.fill(0);
    expect((await ask(cache, 'second')).answer).toBe('first');
  });

  test('is not embedded when nothing is kept that it could be compared with', async () => {
    const cache = open();
    const embed = vi.fn(async () => at(0));
    await ask(cache, 'first', { embed });
    await ask(cache, 'other kind', { embed, kind: 'l' });
    expect(embed).not.toHaveBeenCalled();
    await ask(cache, 'second', { embed });
    expect(embed).toHaveBeenCalledOnce();
  });
});

describe('a change', () => {
  test('of what an answer was made of: it is given no more, and what else there is stays', async () => {
    const cache = open();
    await ask(cache, 'before');
    await log.append(['a/features', 'b/documents']);
    expect((await ask(cache, 'second')).answer).toBe('before');
    await log.append(['a/documents']);
    expect((await ask(cache, 'third')).answer).toBe('third');
    expect(cache.count).toBe(1);
  });

  test('during the search: its answer is given, but not kept, nor given to who asked after the change', async () => {
    const cache = open();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const question = { organizationId: 'a', kind: 'k', text: 'slow', minSimilarity, embed: async () => at(0) };
    const searchSlowly = async (note: (statement: Statement, values: []) => void) => {
      note(readDocuments, []);
      await ended;
      return { answer: 'old', vector: at(0) };
    };
    const slow = cache.answer(question, searchSlowly);
    const slowToo = cache.answer({ ...question, organizationId: 'b' }, searchSlowly);
    await log.append(['a/documents']);
    const later = ask(cache, 'slow');
    end();
    expect((await slow).answer).toBe('old');
    expect((await slowToo).answer).toBe('old');
    expect(await later).toMatchObject({ answer: 'slow', earlier: null });
    // That of the later one.
    expect(cache.count).toBe(1);
  });

  test('by the search itself, or of what is not known: its answer is not kept', async () => {
    const cache = open();
    await ask(cache, 'writes', {}, write);
    expect((await ask(cache, 'second')).answer).toBe('second');
  });

  test('cannot be known: nothing that is kept is given, and nothing kept', async () => {
    const cache = open({ log: { ...log, catchUp: async () => null } });
    expect((await ask(cache, 'first')).earlier).toBeNull();
    expect((await ask(cache, 'second')).earlier).toBeNull();
    expect(cache.count).toBe(0);
    expect(await outcomesOf()).toMatchObject({ bypass: 2 });
  });
});

describe('the same question at the same time', () => {
  test('is searched once', async () => {
    const cache = open();
    const all = await Promise.all(Array.from({ length: 10 }, () => ask(cache, 'same')));
    expect(new Set(all.map(({ answer }) => answer))).toEqual(new Set(['same']));
    expect(searches).toEqual(['same']);
    expect(await outcomesOf()).toEqual({ hit: 0, shared: 9, miss: 1, bypass: 0 });
  });

  test('is searched by the others when the first one fails', async () => {
    const cache = open();
    const question = { organizationId: 'a', kind: 'k', text: 'same', minSimilarity, embed: async () => at(0) };
    const failing = cache.answer(question, () => Promise.reject(new Error('its client has gone')));
    const others = [ask(cache, 'same'), ask(cache, 'same')];
    await expect(failing).rejects.toThrow('its client has gone');
    expect((await Promise.all(others)).map(({ answer }) => answer)).toEqual(['same', 'same']);
    expect((await ask(cache, 'later')).answer).toBe('same');
  });
});

describe('room', () => {
  test('is for so many entries; the one that was not used for longest goes first', async () => {
    const cache = open({ maxEntries: 3 });
    for (const degrees of [0, 60, 120]) await ask(cache, String(degrees), { degrees });
    await ask(cache, 'used', { degrees: 0 });
    await ask(cache, '180', { degrees: 180 });
    expect(cache.count).toBe(3);
    const kept = await Promise.all(
      [0, 120, 180].map((degrees) => ask(cache, 'again', { degrees, kind: 'k', text: String(-degrees) })),
    );
    expect(kept.map(({ answer }) => answer)).toEqual(['0', '120', '180']);
    expect((await ask(cache, 'gone', { degrees: 60 })).answer).toBe('gone');
  });

  test('of one organization is not taken by another that asks more', async () => {
    const cache = open({ maxEntries: 4 });
    await ask(cache, 'b', { organizationId: 'b' });
    for (let degrees = 0; degrees < 360; degrees += 30) await ask(cache, String(degrees), { degrees });
    expect(cache.count).toBe(4);
    expect((await ask(cache, 'again', { organizationId: 'b' })).answer).toBe('b');
  });
});

describe.skipIf(!hasRedisServer())('two processes', () => {
  let server: TestRedis;
  let database: TestDatabase;
  let ends: (() => unknown)[] = [];

  beforeEach(async () => {
    server = await startTestRedis();
    database = await createTestDatabase(inject('postgres'));
    ends = [server.stop, () => database.drop()];
  });

  afterEach(async () => {
    for (const end of ends.reverse()) await end();
  });

  async function follow(): Promise<InvalidationLog> {
    const redis = createRedis({ url: server.url, log: pino({ level: 'silent' }), registry: new Registry() });
    await expect.poll(() => redis.isUp).toBe(true);
    const answerPause = new AnswerPause(database.pool, { checkTimeoutMs: 10_000 });
    const followed = createRedisInvalidationLog({ redis, answerPause, key: 'test:changes', onChange: () => {} });
    ends.push(redis.close, () => followed.close());
    return followed;
  }

  test('a change that one has acknowledged is known to the other', async () => {
    const [writer, reader] = await Promise.all([follow(), follow()]);
    const cache = open({ log: reader });
    await ask(cache, 'before');
    expect((await ask(cache, 'second')).answer).toBe('before');
    await writer.append(['a/documents']);
    expect((await ask(cache, 'third')).answer).toBe('third');
  });
});
