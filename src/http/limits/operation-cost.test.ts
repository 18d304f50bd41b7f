import fc from 'fast-check';
import { getIntrospectionQuery, getOperationAST, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { schema } from '../../schema/index.ts';
import { exampleOperations } from '../example-operations.ts';
import { compileCost } from './operation-cost.ts';
import { randomQuery, type ValueForm } from './testing-random-query.ts';
import { slowCost } from './testing-slow-cost.ts';

function costOf(text: string, variables: Record<string, unknown> = {}): number {
  const document = parse(text);
  return compileCost(schema, document, getOperationAST(document)!)(variables);
}

const features = (size: string) => `features${size} { nodes { id owner { name } } }`;

describe('by hand', () => {
  test.each<[cost: number, text: string, variables?: Record<string, unknown>]>([
    [0, '{ __typename }'],
    [1, '{ viewer { id name } }'],
    // The connection, 20 features with an owner each.
    [1 + 20 * 2, `{ ${features('')} }`],
    [1 + 3 * 2, `{ ${features('(first: 3)')} }`],
    [1 + 7 * 2, `query($n: Int) { ${features('(last: $n)')} }`, { n: 7 }],
    [1 + 20 * 2, `query($n: Int) { ${features('(first: $n)')} }`, { n: null }],
    [1 + 5 * 2, `query($n: Int = 5) { ${features('(first: $n)')} }`],
    // Edges and nodes are both lists of the page; totalCount is a statement.
    [
      1 + 2 + 2 * 2 + 5 + 1,
      '{ features(first: 2) { edges { cursor node { id } } nodes { id } totalCount pageInfo { endCursor } } }',
    ],
    [1 + 2 * (1 + 1 + 4 * 1), '{ features(first: 2) { nodes { testCases(first: 4) { nodes { id } } } } }'],
    [2 * (1 + 1), '{ nodes(ids: ["a", "b"]) { id ... on Feature { owner { id } } ... on User { name } } }'],
    // The costliest type counts.
    [
      1 + 1 + 2,
      '{ node(id: "a") { ... on Feature { owner { id } testSummary { total } } ... on Message { author { id } } } }',
    ],
    [
      20 + 1 + 2 + 48,
      '{ forecast(siteId: "a", horizon: 48) { site { id } modelVersion { model { id } } points { p50 } } }',
    ],
    [20 + 24, '{ forecast(siteId: "a") { points { p50 } } }'],
    [20 + 10 * 2, '{ searchDocuments(query: "a") { document { id } } }'],
    [
      1 + 2 * (100 + 100),
      '{ analytics(range: { from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z" }) { featureThroughput(interval: DAY) { at } deployments(interval: DAY) { at } } }',
    ],
    [5 + 2, '{ sentiment(text: "a") { label modelVersion { model { id } } } }'],
    [2, '{ a: viewer { id } b: viewer { id } }'],
    [1, 'query($no: Boolean!) { a: viewer @include(if: $no) { id } b: viewer @skip(if: $no) { id } }', { no: false }],
    [3, '{ ...V ...V viewer { ... on User { id } } } fragment V on Query { viewer { id } }'],
    [10 + 1, 'mutation { createFeature(input: { name: "a" }) { feature { id } } }'],
    [
      10 + 2 + 2 * 2,
      'mutation { createFeatures(input: { features: [{ name: "a" }, { name: "b" }] }) { features { owner { id } } } }',
    ],
    [
      10 + 3,
      'mutation($input: CreateFeaturesInput!) { createFeatures(input: $input) { __typename } }',
      { input: { features: [{}, {}, {}] } },
    ],
    [
      10 + 2,
      'mutation($list: [ReadingInput!]!) { ingestReadings(input: { siteId: "a", readings: $list }) { inserted } }',
      { list: [{}, {}] },
    ],
  ])('%d: %s', (cost, text, variables) => {
    expect(validate(schema, parse(text))).toEqual([]);
    expect(costOf(text, variables)).toBe(cost);
  });

  test('what the resolver refuses counts as the most that it admits, and what is negative as none', () => {
    for (const first of [1_001, 2_147_483_647, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
      expect(costOf(`query($n: Int) { ${features('(first: $n)')} }`, { n: first })).toBe(2_001);
    }
    expect(costOf('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: Array(5_000).fill('x') })).toBe(5_000);
    for (const first of [-1, -2_147_483_648, Number.NaN, -0]) {
      expect(costOf(`query($n: Int) { ${features('(first: $n)')} }`, { n: first })).toBe(1);
    }
  });

  test('variables that are none or of a wrong type leave a number', () => {
    for (const variables of [{}, { n: 'x' }, { n: {} }, { n: [] }, { __proto__: { n: 3 } }, Object.create({ n: 3 })]) {
      expect(costOf(`query($n: Int) { ${features('(first: $n)')} }`, variables)).toBeLessThanOrEqual(41);
    }
  });
});

test('the examples and introspection stay far below the limit', () => {
  for (const { query } of exampleOperations(new Date())) expect(costOf(query)).toBeLessThan(1_000);
  const introspection = costOf(getIntrospectionQuery());
  expect(introspection).toBeGreaterThan(100);
  expect(introspection).toBeLessThan(10_000);
});

test('saturates instead of overflowing, and at once', () => {
  const nested = (depth: number): string =>
    depth === 0 ? 'id' : `testCases(first: 100) { nodes { feature { ${nested(depth - 1)} } } }`;
  const started = performance.now();
  expect(costOf(`{ feature(id: "a") { ${nested(200)} } }`)).toBe(Number.MAX_SAFE_INTEGER);
  expect(costOf(`{ feature(id: "a") { testCases(first: 0) { nodes { feature { ${nested(200)} } } } } }`)).toBe(2);
  const chain = Array.from({ length: 100 }, (_, i) => {
    const child = `testCases(first: $n) { nodes { feature { ...F${i + 1} } } }`;
    return `fragment F${i} on Feature { a: ${child} b: ${child} }`;
  });
  const bomb = `query($n: Int) { feature(id: "a") { ...F0 } } ${chain.join(' ')} fragment F100 on Feature { id }`;
  expect(costOf(bomb, { n: 100 })).toBe(Number.MAX_SAFE_INTEGER);
  expect(costOf(bomb, { n: 0 })).toBe(3);
  expect(performance.now() - started).toBeLessThan(1_000);
});

test('a compiled cost is not changed by the requests before', () => {
  const document = parse(
    'query($n: Int) { feature(id: "a") { ...F } } fragment F on Feature { testCases(first: $n) { nodes { id } } }',
  );
  const cost = compileCost(schema, document, getOperationAST(document)!);
  expect([5, 9, 5, 100].map((n) => cost({ n }))).toEqual([7, 11, 7, 102]);
});

describe('of random queries', () => {
  const forms: readonly ValueForm[] = ['literal', 'variable', 'default'];

  test('is that of the slow way, however values are given', () => {
    const seen = new Set<number>();
    fc.assert(
      fc.property(fc.integer({ min: 0 }), (seed) => {
        const costs = forms.map((form) => {
          const { document: text, variables } = randomQuery(schema, String(seed), form);
          const document = parse(text);
          if (form === 'variable') expect(validate(schema, document), text).toEqual([]);
          const cost = compileCost(schema, document, getOperationAST(document)!)(variables);
          expect(cost, text).toBe(slowCost(schema, document, variables));
          return cost;
        });
        expect(new Set(costs).size).toBe(1);
        seen.add(costs[0]!);
      }),
      { numRuns: 150 },
    );
    expect(seen.size).toBeGreaterThan(50);
  });
});
