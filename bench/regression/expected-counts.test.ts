import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compareCounts, type ExpectedCounts, parseExpectedCounts } from './expected-counts.ts';
import type { OperationCounts } from './operation-counts.ts';

const page: OperationCounts = {
  statements: { list_features: 1, listUsersByIds: 1 },
  promises: 1_000,
  calls: 40_000,
  characters: 10_000_000,
  allocatedBytes: 2_000_000,
};
const expected: ExpectedCounts = {
  node: 'v26.10.0',
  tolerances: { promises: 0.01, calls: 0.03, characters: 0.03, allocatedBytes: 0.05 },
  operations: { page },
};
const compare = (change: Partial<OperationCounts>) =>
  compareCounts(expected, new Map([['page', { ...page, ...change }]]));

test('figures within their tolerances are as expected', () => {
  expect(compare({})).toEqual([]);
  expect(compare({ promises: 1_010, calls: 41_200, characters: 9_700_000, allocatedBytes: 2_100_000 })).toEqual([]);
});

test('a figure beyond its tolerance is named with its value before and after', () => {
  expect(compare({ characters: 10_300_001 })).toEqual([
    { operation: 'page', figure: 'characters', before: 10_000_000, after: 10_300_001, hasGrown: true },
  ]);
  expect(compare({ promises: 989 })).toEqual([
    { operation: 'page', figure: 'promises', before: 1_000, after: 989, hasGrown: false },
  ]);
});

test('one statement more is one too many, one in the place of another is only told', () => {
  expect(compare({ statements: { ...page.statements, listUsersByIds: 2 } })).toEqual([
    { operation: 'page', figure: 'statement listUsersByIds', before: 1, after: 2, hasGrown: true },
  ]);
  const replaced = compare({ statements: { list_features: 1, listOwnersByIds: 1 } });
  expect(replaced.map(({ figure, hasGrown }) => [figure, hasGrown])).toEqual([
    ['statement listOwnersByIds', false],
    ['statement listUsersByIds', false],
  ]);
});

test('of small figures, a difference as small as the counting itself makes is none', () => {
  const hit: OperationCounts = { statements: {}, promises: 0, calls: 600, characters: 150_000, allocatedBytes: 20_000 };
  const withHit = { ...expected, operations: { hit } };
  expect(compareCounts(withHit, new Map([['hit', { ...hit, promises: 1, calls: 619 }]]))).toEqual([]);
  const [difference] = compareCounts(withHit, new Map([['hit', { ...hit, promises: 2 }]]));
  expect(difference).toMatchObject({ figure: 'promises', before: 0, after: 2, hasGrown: true });
});

test('an operation that is not expected is told', () => {
  expect(compareCounts(expected, new Map([['other', page]]))).toMatchObject([{ operation: 'other', before: null }]);
});

test('the file of the project is of the form, and another form is refused by what is wrong', () => {
  const text = readFileSync(new URL('../counts.json', import.meta.url), 'utf8');
  expect(Object.keys(parseExpectedCounts(text).operations)).toHaveLength(12);
  const wrong = JSON.stringify({ ...expected, operations: { page: { ...page, calls: 'many' } } });
  expect(() => parseExpectedCounts(wrong)).toThrow(/bench\/counts\.json.*calls/s);
});
