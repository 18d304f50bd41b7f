import { afterEach, beforeEach, expect, test } from 'vitest';
import { AnswerCache, Making } from './answer-cache.ts';
import { createLocalInvalidationLog } from './invalidation-log.ts';

let cache: AnswerCache;

beforeEach(() => {
  cache = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 20 });
});

afterEach(() => cache.close());

const record = () => cache.record('other', 'organization');

async function keep(key: string, maxAgeMs: number) {
  const making = (await cache.find(key, record())) as Making;
  expect(making).toBeInstanceOf(Making);
  return making.keep({ body: Buffer.from('{}'), tags: [], maxAgeMs })!;
}

test('every answer has an end, and those made together do not end together', async () => {
  const maxAgeMs = 60_000;
  const times: number[] = [];
  for (let number = 0; number < 200; number++) {
    const { madeAtMs, expiresAtMs, staleUntilMs } = await keep(`${number}`, maxAgeMs);
    times.push(Math.round(expiresAtMs - madeAtMs));
    expect(Math.round(staleUntilMs - expiresAtMs)).toBeLessThanOrEqual(10_000);
  }
  expect(Math.max(...times)).toBeLessThanOrEqual(maxAgeMs);
  expect(Math.min(...times)).toBeGreaterThanOrEqual(0.9 * maxAgeMs);
  expect(new Set(times).size).toBeGreaterThan(100);
});

test('an answer whose time is over is made anew', async () => {
  await keep('short', 1);
  await expect.poll(() => cache.peek('short', record())).toBeNull();
  expect(await cache.find('short', record())).toBeInstanceOf(Making);
});
