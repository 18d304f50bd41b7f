import { buildSchema, execute, parse } from 'graphql';
import { expect, test } from 'vitest';
import { PreparedOperations } from './prepared-operations.ts';
import { compileByReference } from './testing-graphql-execution.ts';

const schema = buildSchema(
  'type Query { a(x: Int): Int b: Int } type Mutation { a: Int } type Subscription { a: Int }',
);
const textOf = (index: number, fields: number) =>
  `query Q${index} { ${Array.from({ length: fields }, (_unused, field) => `f${field}: a(x: 1)`).join(' ')} }`;

function learn(operations: PreparedOperations, text: string, operationName: string | null = null): void {
  operations.learn({ text, operationName }, { schema, document: parse(text), execute });
}

test('is compiled when it is asked for again, once', () => {
  let compiled = 0;
  const compile: typeof compileByReference = (...given) => {
    compiled += 1;
    return compileByReference(...given);
  };
  const operations = new PreparedOperations({ compile });
  learn(operations, '{ a }');
  expect(compiled).toBe(0);
  const asked = { text: '{ a }', operationName: null };
  expect(operations.find(asked)).toBe(operations.find(asked));
  expect(compiled).toBe(1);
  expect(operations.find({ text: '{ a } ', operationName: null })).toBeNull();
});

test('is found by the name only that it ran under', () => {
  const operations = new PreparedOperations({ compile: compileByReference });
  // A name in front of one text must not make it another.
  const text = 'query\n{ a }';
  learn(operations, text);
  expect(operations.find({ text, operationName: null })).not.toBeNull();
  expect(operations.find({ text: '{ a }', operationName: 'query' })).toBeNull();
  expect(operations.find({ text, operationName: 'query' })).toBeNull();
  const several = 'query A { a } query B { b }';
  learn(operations, several, 'A');
  expect(operations.find({ text: several, operationName: 'A' })!.name).toBe('A');
  expect(operations.find({ text: several, operationName: 'B' })).toBeNull();
});

test.each([
  'subscription { a }',
  '{ __schema { queryType { name } } }',
  'query ($x: String!) { __type(name: $x) { name } }',
])('is never prepared: %s', (text) => {
  const operations = new PreparedOperations({ compile: compileByReference });
  learn(operations, text);
  expect(operations.find({ text, operationName: null })).toBeNull();
});

test('the oldest are forgotten when there are too many, by their size', () => {
  const operations = new PreparedOperations({ compile: compileByReference });
  const count = 400;
  // About 1,400 tokens each.
  for (let index = 0; index < count; index++) learn(operations, textOf(index, 200));
  const known = Array.from({ length: count }, (_unused, index) =>
    operations.find({ text: textOf(index, 200), operationName: null }) ? 1 : 0,
  );
  const kept = known.reduce<number>((sum, each) => sum + each, 0);
  expect(kept).toBeGreaterThan(10);
  expect(kept).toBeLessThan(60);
  expect(known.at(-1)).toBe(1);
  expect(known[0]).toBe(0);
});

test('variables are coerced as graphql does it; what is wrong with them is for the long way', () => {
  const operations = new PreparedOperations({ compile: compileByReference });
  const text = 'query ($x: Int = 3, $y: Int) { a(x: $x) b: a(x: $y) }';
  learn(operations, text);
  const { coerce } = operations.find({ text, operationName: null })!;
  expect({ ...coerce({}) }).toEqual({ x: 3 });
  expect({ ...coerce({ x: null, y: 2, z: 1 }) }).toEqual({ x: null, y: 2 });
  expect(coerce({ x: 'a' })).toBeNull();
});
