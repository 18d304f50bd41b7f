import { GraphQLError, parse } from 'graphql';
import { createYoga } from 'graphql-yoga';
import { expect, test } from 'vitest';
import { schema } from '../../schema/index.ts';
import { createDocumentCaches } from './document-cache.ts';

const large = (index: number) => `{ a${index}: __typename ${'__typename '.repeat(1_990)} }`;

test('keeps documents up to its bytes, the last ones', () => {
  const { documentCache } = createDocumentCaches();
  for (let index = 0; index < 200; index++) documentCache.set(large(index), parse(large(index)));
  expect(documentCache.calculatedSize).toBeLessThanOrEqual(64 * 1024 * 1024);
  expect(documentCache.size).toBeGreaterThan(40);
  expect(documentCache.size).toBeLessThan(60);
  expect(documentCache.has(large(199))).toBe(true);
  expect(documentCache.has(large(0))).toBe(false);
});

test('keeps no document or error that would push out all others', () => {
  const { documentCache, errorCache } = createDocumentCaches();
  const text = `{ __typename } #${'x'.repeat(2_000_000)}`;
  documentCache.set('{ __typename }', parse('{ __typename }'));
  documentCache.set(text, parse(text));
  expect(documentCache.size).toBe(1);
  errorCache.set(text, new GraphQLError('no'));
  expect(errorCache.size).toBe(0);
});

test('is what Yoga asks of a cache', async () => {
  const caches = createDocumentCaches();
  const yoga = createYoga({ schema, parserAndValidationCache: caches, logging: false });
  const ask = (query: string) =>
    yoga.fetch('http://test/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
  for (const query of ['{ __typename }', '{ __typename', '{ __typename }']) await ask(query);
  expect([caches.documentCache.size, caches.errorCache.size]).toEqual([1, 1]);
});
