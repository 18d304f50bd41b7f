import fc from 'fast-check';
import { buildSchema, getOperationAST, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { holderOf } from '../http/answer-holder.ts';
import { answerKeyOf, createVariablesKey, keyPart, operationKeyOf } from './answer-key.ts';

const sdl = 'type Query { f(id: ID, ids: [ID!], n: Int, s: String, k: Kind, o: Filter): String } enum Kind { A B }';
const schema = buildSchema(`${sdl} input Filter { text: String }`);
const source =
  'query Page($id: ID, $ids: [ID!], $n: Int, $s: String, $k: Kind, $o: Filter) { f(id: $id, ids: $ids, n: $n, s: $s, k: $k, o: $o) }';

const operationOf = (text: string) => {
  const document = parse(text);
  return { document, operation: getOperationAST(document)! };
};
const keyOf = (text: string, of = schema) => {
  const { document, operation } = operationOf(text);
  return operationKeyOf(of, document, operation);
};
const variablesKey = createVariablesKey(schema, operationOf(source).operation);

describe('the key of an operation', () => {
  test('is read by people: its schema, its name, its document', () => {
    expect(keyOf(source)).toMatch(/^[\w-]{11}:Page:[\w-]{22}$/);
    expect(keyOf('{ f }')).toMatch(/^[\w-]{11}::[\w-]{22}$/);
    expect(keyOf(`query ${'N'.repeat(1_000)} { f }`).length).toBeLessThan(120);
  });

  test('is the same for documents that print alike, and another for another document, name or schema', () => {
    expect(keyOf('query A { f }')).toBe(keyOf('query A   {\n f # comment\n}'));
    const others = [keyOf('query B { f }'), keyOf('query A { f f }'), keyOf('query A { g: f }')];
    others.push(keyOf('query A { f }', buildSchema(`${sdl} input Filter { text: String, more: Int }`)));
    const long = 'N'.repeat(100);
    others.push(keyOf(`query ${long}A { f }`), keyOf(`query ${long}B { f }`), keyOf('query A { f }'));
    expect(new Set(others).size).toBe(others.length);
  });
});

describe('the key of variables', () => {
  test('shows what holds no text, and hides what somebody typed', () => {
    expect(variablesKey({ n: 10, id: 'RmVhdHVyZTox', k: 'A' })).toBe('{"id":"RmVhdHVyZTox","k":"A","n":10}');
    expect(variablesKey({ id: '1', s: 'my secret' })).toMatch(/^\{"id":"1"\}~[\w-]{43}$/);
    expect(variablesKey({ o: { text: 'my secret' } })).toMatch(/^\{\}~[\w-]{43}$/);
    expect(variablesKey({ ids: Array.from({ length: 99 }, (_, index) => `id-${index}`) })).toMatch(/^~[\w-]{43}$/);
  });

  test('does not depend on their order, nor on those that the operation does not know', () => {
    expect(variablesKey({ o: { text: 'x', more: 1 }, n: 1 })).toBe(variablesKey({ n: 1, o: { more: 1, text: 'x' } }));
    expect(variablesKey({ n: 1, unknown: 2, __proto__: { id: 3 } })).toBe(variablesKey({ n: 1 }));
  });

  test('null, nothing and the word are three', () => {
    expect(new Set([{}, { id: null }, { id: 'null' }, { s: null }, { s: 'null' }].map(variablesKey)).size).toBe(5);
  });
});

test('the keys of two answers are two: whoever holds them, whatever their variables', () => {
  const text = fc.string({ unit: fc.constantFrom(...':+%~{"a0'), maxLength: 3 });
  const scope = fc.oneof(fc.constantFrom('read', 'write'), text).filter((name) => name !== '');
  const scopes = fc.uniqueArray(scope, { maxLength: 2 });
  const part = fc.record({
    scope: fc.constantFrom('public' as const, 'organization' as const, 'viewer' as const),
    viewer: fc.record({ organizationId: text, userId: text, scopes }),
    variables: fc.record({ id: text, s: text, n: fc.integer() }, { requiredKeys: [] }),
  });
  const nameOf = ({ scope, viewer, variables }: typeof part extends fc.Arbitrary<infer Part> ? Part : never) =>
    answerKeyOf('schema:Page:document', holderOf(scope, viewer as never)!, variablesKey(variables));
  /** What tells them apart, by the parts as they are. */
  const meaningOf = ({ scope, viewer, variables }: Parameters<typeof nameOf>[0]) =>
    JSON.stringify([
      scope,
      scope === 'public' ? null : [viewer.organizationId, [...viewer.scopes].sort()],
      scope === 'viewer' ? viewer.userId : null,
      [variables.id, variables.s, variables.n].map((value) => (value === undefined ? [] : [value])),
    ]);
  fc.assert(
    fc.property(part, part, (one, other) => {
      expect(nameOf(one) === nameOf(other)).toBe(meaningOf(one) === meaningOf(other));
    }),
    { numRuns: 5_000 },
  );
});

test('a part of a key has no separator in it, and two texts make two parts', () => {
  const text = fc.string({ unit: fc.constantFrom(...':% +aA0\n\u00fc\ud800\u{1f600}'), maxLength: 4 });
  fc.assert(
    fc.property(text, text, (one, other) => {
      expect(keyPart(one)).toMatch(/^[\w.%-]*$/);
      expect(keyPart(one) === keyPart(other)).toBe(one === other);
    }),
  );
  expect(keyPart('a:b c')).toBe('a%003ab%0020c');
});
