import { brotliCompressSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { ownBytes } from './own-bytes.ts';

test.each([
  ['nothing', ''],
  ['ASCII', 'abc'],
  ['what is longer in UTF-8', 'Größe 😀 ∑'],
])('a text of %s is its UTF-8, and nothing beside it', (_label, text) => {
  const own = ownBytes(text);
  expect(own).toEqual(Buffer.from(text));
  expect(own.buffer.byteLength).toBe(Buffer.byteLength(text));
});

test.each([
  ['a part of a pool', Buffer.from('abc')],
  ['what gzip answers', gzipSync('abc')],
  ['what Brotli answers', brotliCompressSync('abc')],
])('%s is copied out of its block', (_label, bytes) => {
  expect(bytes.buffer.byteLength).toBeGreaterThan(bytes.length);
  const own = ownBytes(bytes);
  expect(own).toEqual(bytes);
  expect(own.buffer.byteLength).toBe(bytes.length);
});
