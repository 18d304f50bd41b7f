import { buildSchema, parse, print, Token, validate } from 'graphql';
import { expect, test } from 'vitest';
import { leaveParserOut } from './lean-document.ts';

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
  const lean = leaveParserOut(parse(text));
  expect(holdsToken(parse(text))).toBe(true);
  expect(holdsToken(lean)).toBe(false);
  expect(JSON.stringify(lean)).toBe(JSON.stringify(parse(text)));
  expect(print(lean)).toBe(print(parse(text)));
});

test('errors still say where', () => {
  const schema = buildSchema('type Query { feature: Feature } type Feature { name: String }');
  const placesIn = (document: ReturnType<typeof parse>) =>
    validate(schema, document).map(({ message, locations }) => ({ message, locations }));
  const places = placesIn(leaveParserOut(parse(text)));
  expect(places).toEqual(placesIn(parse(text)));
  expect(places).toContainEqual({
    message: 'Cannot query field "unknown" on type "Query".',
    locations: [{ line: 3, column: 18 }],
  });
});
