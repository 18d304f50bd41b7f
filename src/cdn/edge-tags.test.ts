import { describe, expect, test } from 'vitest';
import { edgeTagsOfAnswer, edgeTagsOfWrite, everythingTag } from './edge-tags.ts';

const org = '0199f0d2-5f0a-7c6e-b7d1-2f1f4f0a9c11';
/** As footprint.ts tells them of a read of features by their ids. */
const readOf = (ids: readonly string[], organization = org) => [
  '/features',
  `${organization}/features.*`,
  ...ids.map((id) => `${organization}/features.id=${id}`),
];
const writeOf = (id: string, organization = org) => [`${organization}/features`, `${organization}/features.id=${id}`];
const doesPurge = (write: readonly string[], read: readonly string[]) => {
  const written = new Set(edgeTagsOfWrite(write));
  return edgeTagsOfAnswer(read)!.some((tag) => written.has(tag));
};
const many = Array.from({ length: 60 }, (_, index) => `feature-${index}`);

describe('an answer', () => {
  test('is purged by a write to what it was made of, and by no other', () => {
    expect(doesPurge(writeOf('1'), readOf(['1', '2']))).toBe(true);
    expect(doesPurge(writeOf('3'), readOf(['1', '2']))).toBe(false);
    expect(doesPurge(writeOf('1', 'other'), readOf(['1']))).toBe(false);
  });

  test('of a list is purged by every write of the organization to its table', () => {
    const list = ['/features', `${org}/features`];
    expect(doesPurge(writeOf('1'), list)).toBe(true);
    expect(doesPurge([`${org}/features`], list)).toBe(true);
    expect(doesPurge(writeOf('1', 'other'), list)).toBe(false);
  });

  test('is purged by writes that do not say which rows, or whose', () => {
    expect(doesPurge([`${org}/features`, `${org}/features.*`], readOf(['1']))).toBe(true);
    expect(doesPurge(['/features', '/features.*'], readOf(['1']))).toBe(true);
  });

  test('of more than a header holds has coarser tags: nothing written to it is missed', () => {
    const tags = edgeTagsOfAnswer(readOf(many))!;
    expect(tags.length).toBeLessThan(10);
    for (const id of many) expect(doesPurge(writeOf(id), readOf(many))).toBe(true);
    // More than needed.
    expect(doesPurge(writeOf('another'), readOf(many))).toBe(true);
    expect(doesPurge(writeOf('another', 'other'), readOf(many))).toBe(false);
  });

  test('of more organizations than a header holds is not for edges', () => {
    expect(edgeTagsOfAnswer(many.flatMap((organization) => readOf(['1'], organization)))).toBeNull();
  });

  test('of a table whose writes are not purged is not for edges', () => {
    expect(edgeTagsOfAnswer([...readOf(['1']), '/users', `${org}/users`])).toBeNull();
    expect(edgeTagsOfWrite([`${org}/users`, `${org}/users.id=1`])).toEqual([]);
  });
});

test('tags are short, safe in a header, and say nothing', () => {
  const tags = edgeTagsOfAnswer([...readOf(['a, b\n c']), `${org}/test_cases.feature_id=1`])!;
  expect(tags[0]).toBe(everythingTag);
  for (const tag of tags.slice(1)) expect(tag).toMatch(/^[0-9a-f]{12}$/);
  expect(tags).toHaveLength(5);
  expect(edgeTagsOfAnswer(readOf(many.slice(0, 47)))!.join().length).toBeLessThan(700);
});
