import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import type { KnownTenant } from './known-objects.ts';
import { createUncachedMix, isSame, uncachedManifest } from './uncached-mix.ts';

const numbers = Array.from({ length: 200 }, (_, index) => index);
const tenant: KnownTenant = {
  tenant: {
    organizationId: 'o',
    tokens: ['a', 'b'],
    features: numbers.map((number) => `feature ${number}`),
    testCases: numbers.map((number) => `test ${number}`),
    conversations: numbers.map((number) => `conversation ${number}`),
    sites: [],
  },
  features: {
    items: numbers.map((number) => ({
      id: `feature ${number}`,
      name: `Feature ${number}`,
      owner: 'Ada',
      testCases: [],
      deployments: [],
    })),
    cursors: numbers.map(String),
  },
  conversations: {
    items: numbers.map((number) => ({ id: `conversation ${number}`, title: 'Help', user: 'Ada', messages: [] })),
    cursors: numbers.map(String),
  },
  testCases: numbers.map((number) => ({ id: `test ${number}`, name: 'Test', featureId: 'feature 0' })),
  documents: ['Guide 1', 'Guide 2'],
};

test('its documents are valid', () => {
  const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
  for (const [id, text] of Object.entries(uncachedManifest())) {
    expect(validate(schema, parse(text)), id).toEqual([]);
  }
});

test('a request hardly ever comes twice, and all classes are there', () => {
  const next = createUncachedMix([tenant], 'test');
  const requests = Array.from({ length: 2_000 }, next);
  expect(new Set(requests.map(({ kind }) => kind))).toEqual(new Set(['critical', 'standard', 'bulk']));
  expect(requests.filter(({ check }) => check !== undefined).length).toBeGreaterThan(1_800);
});

test('an object with another name, a page that lacks one or has one more, is wrong', () => {
  const expected = { features: { nodes: [{ id: '1', owner: { name: 'Ada' } }] } };
  const page = (...nodes: object[]) => ({ features: { nodes } });
  expect(isSame(page({ id: '1', status: 'DONE', owner: { id: '2', name: 'Ada' } }), expected)).toBe(true);
  expect(isSame(page({ id: '1', owner: { name: 'Bob' } }), expected)).toBe(false);
  expect(isSame(page(), expected)).toBe(false);
  expect(isSame(page({ id: '1', owner: { name: 'Ada' } }, { id: '2', owner: { name: 'Ada' } }), expected)).toBe(false);
  expect(isSame({ features: null }, expected)).toBe(false);
});
