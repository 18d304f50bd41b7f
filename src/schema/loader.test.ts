import type DataLoader from 'dataloader';
import { expect, test } from 'vitest';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import { createJoinedRowLoader, createRowLoader } from './loader.ts';

interface Row {
  id: string;
  of: string;
}

/** As much of a context as loaders want. */
function contextOf(): Context {
  const viewer = { organizationId: 'organization' };
  return { made: new Map(), viewer, database: {} as Database } as unknown as Context;
}

/** Loaders of rows and of what they refer to, and every id that was asked of the database. */
function createLoaders() {
  const asked: string[] = [];
  const list = async (_database: Database, _organizationId: string, ids: readonly string[]) => {
    asked.push(...ids);
    return ids
      .filter((id) => !id.startsWith('no '))
      .toReversed()
      .map((id) => ({ id, of: `what ${id} refers to` }));
  };
  const row = createRowLoader<Row>(list);
  const referenced = createRowLoader<Row>(list);
  const joined = createJoinedRowLoader<Row, Row>(
    async (...given) => (await list(...given)).map((found) => ({ row: found, referenced: { id: found.of, of: '' } })),
    { row, referenced },
  );
  return { asked, row, referenced, joined };
}

/** What is known without a further tick. */
async function atOnce<Result>(loader: DataLoader<string, Result>, id: string): Promise<Result | undefined> {
  let known: Result | undefined;
  void loader.load(id).then((result) => {
    known = result;
  });
  await Promise.resolve();
  return known;
}

test.each([[['a']], [['b', 'a']], [['a', 'no b', 'c', 'a']]])(
  'a joined look-up of %j has its rows in the order of the ids',
  async (ids) => {
    const { joined, asked } = createLoaders();
    const context = contextOf();
    const rows = await Promise.all(ids.map((id) => joined(context).load(id)));
    expect(rows.map((row) => row?.id ?? null)).toEqual(ids.map((id) => (id.startsWith('no ') ? null : id)));
    expect(new Set(asked)).toEqual(new Set(ids));
  },
);

test('what a joined look-up has found is known at once to those who ask next, and only in its request', async () => {
  const { joined, row, referenced, asked } = createLoaders();
  const context = contextOf();
  const found = await joined(context).load('a');
  expect(await atOnce(row(context), 'a')).toBe(found);
  expect(await atOnce(referenced(context), found!.of)).toEqual({ id: found!.of, of: '' });
  expect(asked).toEqual(['a']);
  expect(await atOnce(row(contextOf()), 'a')).toBeUndefined();
});

test('what was cleared is read again, whether one or all', async () => {
  for (const clear of [
    (loader: DataLoader<string, Row | null>) => loader.clear('a'),
    (loader: DataLoader<string, Row | null>) => loader.clearAll(),
  ]) {
    const { joined, row, asked } = createLoaders();
    const context = contextOf();
    await joined(context).load('a');
    clear(row(context));
    expect(await row(context).load('a')).toMatchObject({ id: 'a' });
    expect(asked).toEqual(['a', 'a']);
  }
});
