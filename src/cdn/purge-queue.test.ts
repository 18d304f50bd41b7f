import { afterEach, beforeEach, expect, test } from 'vitest';
import { createWebhookPurger } from './edge.ts';
import { everythingTag } from './edge-tags.ts';
import { type PurgeOutcome, PurgeQueue } from './purge-queue.ts';
import { startTestWebhook, type TestWebhook } from './testing-webhook.ts';

let webhook: TestWebhook;
let outcomes: PurgeOutcome[];
let queue: PurgeQueue;

const open = (options: { deadlineMs?: number; repeatAfterMs?: number } = {}) =>
  new PurgeQueue({
    edge: createWebhookPurger(webhook.url, 'secret'),
    deadlineMs: 60_000,
    repeatAfterMs: 60_000,
    onOutcome: (outcome) => outcomes.push(outcome),
    ...options,
  });

beforeEach(async () => {
  webhook = await startTestWebhook();
  outcomes = [];
  queue = open();
});

afterEach(async () => {
  webhook.status = 204;
  await queue.close();
  webhook.close();
});

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `tag-${index}`);

test('a write waits until its tags are purged', async () => {
  await queue.purge(['a', 'b']);
  expect(webhook.purges).toEqual([['a', 'b']]);
  expect(webhook.authorizations).toEqual(['Bearer secret']);
  expect([queue.size, queue.oldestAgeMs]).toEqual([0, 0]);
});

test('writes of the same time go in one request, each tag once', async () => {
  const writes = Array.from({ length: 100 }, (_, index) => queue.purge([`tag-${index % 10}`, 'list']));
  await Promise.all(writes);
  expect(webhook.purges).toHaveLength(1);
  expect(webhook.purges[0]!.toSorted()).toEqual([...numbered(10), 'list'].toSorted());
});

test('writes under way are purged by few requests', async () => {
  const writes = Array.from({ length: 200 }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, index / 4));
    await queue.purge([`tag-${index}`]);
    expect(webhook.purges.flat()).toContain(`tag-${index}`);
  });
  await Promise.all(writes);
  expect(webhook.purges.length).toBeLessThan(50);
});

test('many tags are split, and too many are everything', async () => {
  await queue.purge(numbered(250));
  expect(webhook.purges.map((tags) => tags.length)).toEqual([100, 100, 50]);
  await queue.purge(numbered(1_001));
  expect(webhook.purges.slice(3)).toEqual([[everythingTag]]);
});

test('a purge that fails is tried until it works, and nobody waits for it meanwhile', async () => {
  webhook.status = 503;
  await queue.purge(['a']);
  expect(outcomes).toMatchObject([{ error: new Error('the purge was answered with 503'), isRetry: false }]);
  const triesBefore = webhook.purges.length;
  await queue.purge(['b']);
  // It was not tried for b: the next try is later.
  expect(webhook.purges).toHaveLength(triesBefore);
  expect(queue.size).toBe(2);
  webhook.status = 204;
  await expect.poll(() => outcomes.at(-1)).toEqual({ error: null, isRetry: true });
  expect(webhook.purges.at(-1)).toEqual(['a', 'b']);
  expect(queue.size).toBe(0);
});

test('an edge that does not answer is not waited for beyond the deadline', async () => {
  await queue.close();
  queue = open({ deadlineMs: 50 });
  webhook.status = null;
  await queue.purge(['a']);
  await queue.purge(['b']);
  expect(outcomes).toEqual([]);
  await expect.poll(() => outcomes.length).toBe(1);
  webhook.status = 204;
  await expect.poll(() => webhook.purges.at(-1)).toEqual(['a', 'b']);
});

test.each(['a', everythingTag])('%s is purged again for what was on its way, once', async (tag) => {
  await queue.close();
  queue = open({ repeatAfterMs: 30 });
  await queue.purge([tag]);
  await expect.poll(() => webhook.purges).toEqual([[tag], [tag]]);
  await queue.purge(['b']);
  await expect.poll(() => webhook.purges.slice(2)).toEqual([['b'], ['b']]);
});

test('what waits is bounded while an edge is away', async () => {
  webhook.status = 503;
  await queue.purge(['a']);
  for (const tag of numbered(5_000)) await queue.purge([tag]);
  expect(queue.size).toBeLessThan(1_002);
  webhook.status = 204;
  await expect.poll(() => outcomes.at(-1)!.error).toBeNull();
  expect(webhook.purges.at(-1)).toContain(everythingTag);
});

test('the end tries what is left once more', async () => {
  webhook.status = 503;
  await queue.purge(['a']);
  webhook.status = 204;
  await queue.close();
  expect(webhook.purges.at(-1)).toEqual(['a']);
  expect(queue.size).toBe(0);
});

test('the end does not wait for a repeat: it is done at once', async () => {
  await queue.purge(['a']);
  await queue.close();
  expect(webhook.purges).toEqual([['a'], ['a']]);
});
