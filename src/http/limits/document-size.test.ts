import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { measureDocument } from './document-size.ts';

const times = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => make(i)).join(' ');
const measure = (text: string) => measureDocument(parse(text));

test('counts what a document says', () => {
  const size = measure(`
    query A($n: Int @x) @y { a: features(first: $n) { ...F nodes @skip(if: true) { id } } b: __typename __typename }
    query B { viewer { id } }
    fragment F on FeatureConnection @z { nodes { c: id owner { name } } }
    fragment Unused on User { d: name @include(if: true) }
  `);
  expect(size).toEqual({
    tokens: 84,
    depth: 4,
    aliases: 4,
    rootFields: 3,
    directives: 5,
    fieldPairs: 1,
    hasFragmentCycle: false,
  });
});

test('counts root fields through fragments and inline fragments', () => {
  expect(
    measure('{ ...A ... on Query { z } ...A } fragment A on Query { x y ...B } fragment B on Query { w }').rootFields,
  ).toBe(7);
});

test('depth is that of the deepest operation, through fragments', () => {
  const chain = times(10, (i) => `fragment F${i} on T { f { ...F${i + 1} } }`);
  expect(measure(`query A { x } query B { a { ...F0 } } ${chain} fragment F10 on T { leaf }`).depth).toBe(12);
});

test('visits a fragment once: 2^300 paths are counted at once', () => {
  const bomb = times(300, (i) => `fragment F${i} on T { a { ...F${i + 1} } b { ...F${i + 1} } ...F${i + 1} }`);
  const started = performance.now();
  const size = measure(`{ ...F0 } ${bomb} fragment F300 on T { leaf }`);
  expect(performance.now() - started).toBeLessThan(1_000);
  expect(size).toMatchObject({ depth: 301, hasFragmentCycle: false });
  expect(Number.isSafeInteger(size.rootFields)).toBe(true);
});

test('ends for cycles, and says so', () => {
  expect(measure('{ ...A } fragment A on Query { x { ...A } }').hasFragmentCycle).toBe(true);
  expect(measure('{ ...A } fragment A on Query { ...B } fragment B on Query { x { ...A } }').hasFragmentCycle).toBe(
    true,
  );
  expect(measure('{ x } fragment A on Query { ...A }').hasFragmentCycle).toBe(true);
  expect(measure('{ ...A ...A ...Missing } fragment A on Query { x }').hasFragmentCycle).toBe(false);
});
