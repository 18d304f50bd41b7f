import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Viewer } from '../context.ts';
import { newId } from '../db/id.ts';
import { createTokenCache, type TokenCache } from './token-cache.ts';
import type { TokenFault } from './token-faults.ts';

const viewer: Viewer = { userId: newId(), organizationId: newId(), scopes: ['read'] };
const minuteMs = 60_000;

let checks: string[];
let fault: TokenFault | null;
let expiresAtMs: number;
let cache: TokenCache;

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  checks = [];
  fault = null;
  expiresAtMs = Date.now() + 24 * 60 * minuteMs;
  const check = async (token: string) => {
    checks.push(token);
    return fault ?? { viewer, expiresAtMs };
  };
  cache = createTokenCache({ check, maxBytes: 1_500 });
});

afterEach(() => {
  vi.useRealTimers();
});

/** What the cache answers without waiting; a promise counts as a miss. */
const known = (token: string) => {
  const result = cache(token);
  return result instanceof Promise ? 'miss' : result;
};

describe('a token', () => {
  test('is checked once for concurrent uses, then known at once until it expires', async () => {
    expiresAtMs = Date.now() + 30_000;
    expect(await Promise.all([cache('a'), cache('a'), cache('a')])).toEqual([viewer, viewer, viewer]);
    expect(checks).toEqual(['a']);
    pass(29_999);
    expect(known('a')).toBe(viewer);
    pass(1);
    expect(known('a')).toBe('expired');
    expect(known('a')).toBe('miss');
  });

  test('unused for longest makes way for a new one', async () => {
    for (const token of ['a', 'b', 'c']) await cache(token);
    expect(known('a')).toBe(viewer);
    await cache('d');
    expect(['a', 'c', 'd'].map(known)).toEqual([viewer, viewer, viewer]);
    expect(known('b')).toBe('miss');
  });

  test('that is long takes the place of several', async () => {
    for (const token of ['a', 'b', 'c']) await cache(token);
    const long = 'd'.repeat(500);
    await cache(long);
    expect(['a', 'b', 'c', long].map(known)).toEqual(['miss', 'miss', viewer, viewer]);
  });

  test('that is bad is refused from memory for 2 s, one that could not be checked is not', async () => {
    fault = 'signature';
    expect(await cache('a')).toBe('signature');
    expect(known('a')).toBe('signature');
    fault = 'unavailable';
    pass(2_000);
    expect(await cache('a')).toBe('unavailable');
    fault = null;
    expect(await cache('a')).toBe(viewer);
    expect(known('a')).toBe(viewer);
  });

  test('that is bad never takes the place of a good one', async () => {
    await cache('a');
    fault = 'malformed';
    for (let index = 0; index < 2_000; index += 1) await cache(`bad-${index}`);
    expect(known('a')).toBe(viewer);
    expect(known('bad-0')).toBe('miss');
    expect(known('bad-1999')).toBe('malformed');
  });
});

describe('a known token after a minute', () => {
  test('is checked beside the request, once, and refused from then on if it is not good any more', async () => {
    await cache('a');
    pass(minuteMs);
    fault = 'user';
    expect([known('a'), known('a')]).toEqual([viewer, viewer]);
    expect(checks).toHaveLength(2);
    await vi.waitFor(() => expect(known('a')).toBe('user'));
    expect(checks).toHaveLength(2);
  });

  test('is checked at most every minute', async () => {
    await cache('a');
    for (let minute = 1; minute <= 5; minute += 1) {
      pass(minuteMs);
      expect(known('a')).toBe(viewer);
      await vi.waitFor(() => expect(checks).toHaveLength(minute + 1));
      await Promise.resolve();
      pass(1);
      for (let index = 0; index < 10; index += 1) expect(known('a')).toBe(viewer);
    }
    expect(checks).toHaveLength(6);
  });

  test('that was not used meanwhile waits for the check', async () => {
    await cache('a');
    pass(5 * minuteMs);
    fault = 'user';
    expect(await cache('a')).toBe('user');
  });

  test('stands for 10 minutes while nothing can be checked, asked about once a second, then cannot be used', async () => {
    await cache('a');
    fault = 'unavailable';
    pass(5 * minuteMs);
    expect(await cache('a')).toBe(viewer);
    expect([known('a'), known('a')]).toEqual([viewer, viewer]);
    expect(checks).toHaveLength(2);
    pass(1_000);
    expect(known('a')).toBe(viewer);
    expect(checks).toHaveLength(3);
    await Promise.resolve();
    pass(5 * minuteMs);
    expect(await cache('a')).toBe('unavailable');
    expect(known('a')).toBe('unavailable');
    pass(1_000);
    fault = null;
    expect(await cache('a')).toBe(viewer);
    expect(known('a')).toBe(viewer);
  });
});
