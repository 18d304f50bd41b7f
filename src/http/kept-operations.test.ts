import { expect, test } from 'vitest';
import { type MadeAnswer, Making } from '../cache/answer-cache.ts';
import { NarrowedHint } from '../cache/narrowed-hint.ts';
import { ReadTags } from '../cache/read-tags.ts';
import { keepMade } from './kept-operations.ts';

test('a kept answer keeps its own bytes in memory, and no more', () => {
  const kept: MadeAnswer[] = [];
  const making = new Making('1', (made) => {
    if (made) kept.push(made);
    return null;
  });
  const reads = new ReadTags();
  reads.start();
  const text = JSON.stringify({ data: { viewer: { name: 'Zoë' } } });
  keepMade(making, { maxAgeSeconds: 60, scope: 'viewer' }, { reads, cacheHint: new NarrowedHint() }, text);
  const [{ body }] = kept as [MadeAnswer];
  expect(body.toString()).toBe(text);
  expect(body.buffer.byteLength).toBe(body.length);
});
