import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import {
  featureList,
  listFeaturesByIds,
  listFeaturesWithOwnersByIds,
  testCaseList,
} from '../domains/features/queries.ts';
import type { Database } from './database.ts';
import type { PageRequest } from './list.ts';
import { arg, statement } from './statement.ts';

/** What the first statement says of its rows; null: it does not. */
async function mostRowsOf(work: (database: Database) => Promise<unknown>): Promise<number | null> {
  let mostRows: number | null | undefined;
  const database: Database = {
    run: async (statement, values) => {
      mostRows ??= statement.mostRows?.(values) ?? null;
      return [];
    },
    transaction: () => Promise.reject(new Error('none is begun')),
  };
  await work(database);
  if (mostRows === undefined) throw new Error('nothing was run');
  return mostRows;
}

const first = (limit: number, filters: PageRequest['filters'] = {}): PageRequest => ({
  filters,
  order: 'CREATED_AT',
  direction: 'DESC',
  limit,
  isBackward: false,
  after: null,
  before: null,
});
const status = { status: { status: 'ACTIVE' } };
const ownerId = { ownerId: { ownerId: 'somebody' } };
const created = { createdAt: { createdFrom: '2026-01-01Z', createdTo: '2026-02-01Z' } };
const ids = (count: number) => Array.from({ length: count }, (_, index) => `id ${index}`);

test.each([
  ['a page: its rows and the one more that tells of a next page', 21, featureList, first(20)],
  ['a page of one filter', 101, featureList, first(100, status)],
  ['a range in the order of its own column', 101, featureList, first(100, created)],
  [
    'a page of two filters, of which the second may leave few of many rows',
    null,
    featureList,
    first(20, { ...status, ...ownerId }),
  ],
  ['a text in the name', null, featureList, first(20, { nameContains: { namePattern: '%a%' } })],
  ['a range in another order', null, featureList, { ...first(20, created), order: 'NAME' }],
] as const)('%s: at most %s', async (_label, expected, list, request) => {
  expect(await mostRowsOf((database) => list.page(database, 'x', request))).toBe(expected);
});

test('a count, which reads what it does not answer: not known', async () => {
  expect(await mostRowsOf((database) => featureList.count(database, 'x', {}))).toBe(null);
  expect(await mostRowsOf((database) => testCaseList.counts(database, 'x', ids(2), {}))).toBe(null);
});

test('a page of each parent: as many rows as all of them', async () => {
  expect(await mostRowsOf((database) => testCaseList.pages(database, 'x', ids(20), first(5)))).toBe(20 * 6);
});

test.each([1, 2, 1_500])('%i rows by their ids: as many', async (count) => {
  expect(await mostRowsOf((database) => listFeaturesByIds(database, 'x', ids(count)))).toBe(count);
  expect(await mostRowsOf((database) => listFeaturesWithOwnersByIds(database, 'x', ids(count)))).toBe(count);
});

test('what a statement is bounded by is one of its arguments', () => {
  const query = sql`select 1 as one where ${arg('id')}::text is not null limit ${arg('limit')}`;
  expect(() => statement('one', query, { boundedBy: ['limits'] })).toThrow(
    'one: expected to be bounded by some of id, limit',
  );
});
