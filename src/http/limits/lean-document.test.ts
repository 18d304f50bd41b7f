import { buildSchema, parse, print, Token, validate } from 'graphql';
import { createYoga } from 'graphql-yoga';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { readConfig } from '../../config.ts';
import { schema } from '../../schema/index.ts';
import { createDocumentCaches } from './document-cache.ts';
import { stripParserState } from './lean-document.ts';
import { createLimitMetrics } from './limit-metrics.ts';
import { useLimits } from './use-limits.ts';

const text = `query Two($id: ID = "x", $ids: [ID!] = ["a", "b"]) @live {
  first: feature(id: $id, with: { one: 1, list: [1, 2] }) { name ...F @skip(if: true) }
  ... on Query { unknown }
}
fragment F on Feature { owner { name } }`;

/** Whether an object leads to a token by any property. */
function holdsToken(value: unknown, seen = new Set<unknown>()): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false;
  seen.add(value);
  return value instanceof Token || Object.values(value).some((part) => holdsToken(part, seen));
}

test('no token is left, and all else is as it was', () => {
  const lean = stripParserState(parse(text));
  expect(holdsToken(parse(text))).toBe(true);
  expect(holdsToken(lean)).toBe(false);
  expect(JSON.stringify(lean)).toBe(JSON.stringify(parse(text)));
  expect(print(lean)).toBe(print(parse(text)));
});

test('errors still say where', () => {
  const features = buildSchema('type Query { feature: Feature } type Feature { name: String }');
  const placesIn = (document: ReturnType<typeof parse>) =>
    validate(features, document).map(({ message, locations }) => ({ message, locations }));
  const places = placesIn(stripParserState(parse(text)));
  expect(places).toEqual(placesIn(parse(text)));
  expect(places).toContainEqual({
    message: 'Cannot query field "unknown" on type "Query".',
    locations: [{ line: 3, column: 18 }],
  });
});

test('what the parser keeps has none', async () => {
  const caches = createDocumentCaches();
  const { limits } = readConfig({ NODE_ENV: 'test' });
  const limitMetrics = createLimitMetrics(new Registry());
  const plugins = [useLimits({ limits, limitMetrics, log: pino({ level: 'silent' }) })];
  const yoga = createYoga({ schema, parserAndValidationCache: caches, plugins, logging: false });
  const headers = { 'content-type': 'application/json' };
  await yoga.fetch('http://test/graphql', { method: 'POST', headers, body: '{"query":"{ __typename }"}' });
  expect([...caches.documentCache.values()].map((kept) => [print(kept), holdsToken(kept)])).toEqual([
    ['{\n  __typename\n}', false],
  ]);
});
