import SchemaBuilder from '@pothos/core';
import { getOperationAST, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import type { Context } from '../context.ts';
import '../schema/policy-plugin.ts';
import { answerPolicyOf } from './document-policy.ts';

const builder = new SchemaBuilder<{ Context: Context }>({ plugins: ['policy'], policy: {} });
const Named = builder
  .interfaceRef<object>('Named')
  .implement({ fields: (t) => ({ name: t.string({ resolve: String }) }) });
const Public = builder.objectRef<object>('Public');
Public.implement({
  interfaces: [Named],
  isTypeOf: () => true,
  fields: (t) => ({
    fast: t.int({ cache: { maxAgeSeconds: 5 }, resolve: () => 1 }),
    never: t.int({ cache: { maxAgeSeconds: 0 }, resolve: () => 1 }),
    own: t.int({ cache: { scope: 'viewer' }, resolve: () => 1 }),
    tenant: t.int({ cache: { scope: 'organization' }, resolve: () => 1 }),
    inner: t.field({ type: Public, resolve: () => ({}) }),
  }),
});
const Personal = builder.objectRef<object>('Personal').implement({
  interfaces: [Named],
  isTypeOf: () => true,
  cache: { scope: 'viewer', maxAgeSeconds: 60 },
  fields: (t) => ({ note: t.string({ resolve: String }) }),
});
const hour = { maxAgeSeconds: 3_600 };
builder.queryType({
  fields: (t) => ({
    open: t.field({ type: Public, scope: 'none', cache: { ...hour, scope: 'public' }, resolve: () => ({}) }),
    closed: t.field({ type: Public, scope: 'read', cache: { ...hour, scope: 'public' }, resolve: () => ({}) }),
    tenant: t.field({ type: Public, scope: 'read', cache: { ...hour, scope: 'organization' }, resolve: () => ({}) }),
    unsaid: t.field({ type: Public, scope: 'none', cache: hour, resolve: () => ({}) }),
    live: t.field({ type: Public, scope: 'read', resolve: () => ({}) }),
    mine: t.field({ type: Personal, scope: 'none', resolve: () => ({}) }),
    named: t.field({ type: Named, scope: 'none', cache: { ...hour, scope: 'public' }, resolve: () => ({}) }),
  }),
});
builder.mutationType({ fields: (t) => ({ act: t.int({ scope: 'write', resolve: () => 1 }) }) });
const schema = builder.toSchema();

function policyOf(text: string) {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  return answerPolicyOf(schema, document, getOperationAST(document)!);
}

describe('the policy of an answer', () => {
  test.each([
    ['{ open { name } }', { maxAgeSeconds: 3_600, scope: 'public' }],
    ['{ open { name fast } }', { maxAgeSeconds: 5, scope: 'public' }],
    ['{ open { inner { inner { fast } } } }', { maxAgeSeconds: 5, scope: 'public' }],
    ['{ open { tenant } }', { maxAgeSeconds: 3_600, scope: 'organization' }],
    ['{ open { tenant own } }', { maxAgeSeconds: 3_600, scope: 'viewer' }],
    ['{ unsaid { name } }', { maxAgeSeconds: 3_600, scope: 'viewer' }],
    ['{ mine { note } }', { maxAgeSeconds: 60, scope: 'viewer' }],
    ['{ tenant { name } open { name } }', { maxAgeSeconds: 3_600, scope: 'organization' }],
  ])('%s: the least of all parts', (text, policy) => {
    expect(policyOf(text)).toEqual(policy);
  });

  test('what needs a token is never public', () => {
    expect(policyOf('{ closed { name } }')).toEqual({ maxAgeSeconds: 3_600, scope: 'organization' });
  });

  test.each([
    '{ live { name } }',
    '{ open { name } live { name } }',
    '{ open { never } }',
    'mutation { act }',
    '{ __typename }',
  ])('%s is not kept', (text) => {
    expect(policyOf(text)).toBeNull();
  });

  // The traps of caches that look at answers: an alias, a fragment, a directive must not hide what a field is.
  test.each([
    '{ open { harmless: own } }',
    '{ hidden: open { ...F } } fragment F on Public { inner { ...G } } fragment G on Public { x: own }',
    '{ open { ... on Named { ... on Public { own } } } }',
    '{ open { own @skip(if: true) } }',
    'query ($no: Boolean = false) { open { ... @include(if: $no) { own } } }',
    '{ named { name } }',
    '{ named { ... on Personal { note } } }',
  ])('%s is its viewer’s own', (text) => {
    expect(policyOf(text)?.scope).toBe('viewer');
  });

  test('a fragment on another type of an interface does not count, its fields on this one do', () => {
    expect(policyOf('{ open { ... on Named { name } } }')).toEqual({ maxAgeSeconds: 3_600, scope: 'public' });
    expect(policyOf('{ open { ... on Named { ... on Personal { note } } } }')?.scope).toBe('public');
  });

  test('a mutation that states one is refused', () => {
    const other = new SchemaBuilder<{ Context: Context }>({ plugins: ['policy'], policy: {} });
    other.queryType({ fields: (t) => ({ a: t.int({ scope: 'none', resolve: () => 1 }) }) });
    other.mutationType({ fields: (t) => ({ b: t.int({ scope: 'write', cache: hour, resolve: () => 1 }) }) });
    expect(() => other.toSchema()).toThrow('Mutation.b has a cache hint');
  });
});
