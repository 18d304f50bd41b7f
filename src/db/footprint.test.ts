import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Viewer } from '../context.ts';
import { insertMessages } from '../domains/conversations/queries.ts';
import {
  listPublicFeaturesByIds,
  listPublicTestSummaries,
  publicFeatureList,
} from '../domains/features/public-queries.ts';
import {
  deleteFeature,
  featureList,
  insertTestCases,
  listFeaturesByIds,
  listFeaturesWithOwnersByIds,
  listTestSummaries,
  testCaseList,
  updateFeature,
  updateTestResults,
} from '../domains/features/queries.ts';
import { testCases } from '../domains/features/tables.ts';
import { createConversation, createFeatures, createOrganization, createUser } from '../testing/seed-builders.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import type { Pool, RunListener } from './database.ts';
import { newId } from './id.ts';
import { createPool } from './pool.ts';
import { arg, statement } from './statement.ts';

let database: TestDatabase;
let pool: Pool;
let viewer: Viewer;
let featureId: string;
let written: string[][] = [];
/** What the listener of writes waits for. */
let listening: Promise<unknown> = Promise.resolve();

beforeAll(async () => {
  database = await createTestDatabase(inject('postgres'));
  pool = createPool({
    connection: database.connection,
    size: 2,
    onWrite: async (tags) => {
      written.push([...tags].sort());
      await listening;
    },
  });
  viewer = await createOrganization(database.pool);
  [featureId = ''] = (await createFeatures(database.pool, viewer, [{ name: 'One' }])).map(({ id }) => id);
});

afterEach(() => {
  written = [];
  listening = Promise.resolve();
});

afterAll(async () => {
  await pool.close();
  await database.drop();
});

/** Tags of what some work reads, without those of statements that name no organization. */
async function readsOf(work: (bounded: ReturnType<Pool['within']>) => Promise<unknown>): Promise<string[]> {
  const tags = new Set<string>();
  const onRun: RunListener = (statement, values, rows) => {
    const read = rows ? statement.answeredTags?.(values, rows) : statement.readTags?.(values);
    for (const tag of read ?? ['unknown']) tags.add(tag);
  };
  await work(pool.within({ signal: new AbortController().signal, organizationId: viewer.organizationId, onRun }));
  return [...tags].filter((tag) => !tag.startsWith('/')).sort();
}

const tag = (name: string) => `${viewer.organizationId}/${name}`;
/** What a new name of the feature is told as. */
const renamed = () =>
  [`features.id=${featureId}`, 'features', 'features.is_public=false', 'features:name', 'features:updated_at']
    .map(tag)
    .sort();
/** Without the columns that changed. */
const rowsOnly = (tags: readonly string[]) => tags.filter((name) => !name.includes(':'));
const firstPage = { filters: {}, order: 'CREATED_AT', direction: 'ASC', limit: 10, isBackward: false } as const;
const page = { ...firstPage, after: null, before: null };

describe('what is read', () => {
  test('by ids are the rows of these ids', async () => {
    const other = newId();
    const read = await readsOf((bounded) => listFeaturesByIds(bounded, viewer.organizationId, [featureId, other]));
    expect(read).toEqual([tag('features.*'), tag(`features.id=${featureId}`), tag(`features.id=${other}`)].sort());
  });

  test('by ids together with what they refer to are the rows of these ids, and the other table', async () => {
    const read = await readsOf((bounded) => listFeaturesWithOwnersByIds(bounded, viewer.organizationId, [featureId]));
    expect(read).toEqual([tag('features.*'), tag(`features.id=${featureId}`), tag('users')].sort());
  });

  test('below parents are the rows of these parents', async () => {
    const read = await readsOf(async (bounded) => {
      await testCaseList.pages(bounded, viewer.organizationId, [featureId], page);
      await testCaseList.counts(bounded, viewer.organizationId, [featureId], {});
      await listTestSummaries(bounded, viewer.organizationId, [featureId]);
    });
    expect(read).toEqual([tag('test_cases.*'), tag(`test_cases.feature_id=${featureId}`)].sort());
  });

  test('in a list are its rows, what they were found by, and which rows there are', async () => {
    const { organizationId } = viewer;
    const others = await createFeatures(database.pool, viewer, [{ name: 'Two', status: 'DONE' }, { name: 'Three' }]);
    const rowTags = [featureId, ...others.map(({ id }) => id)].map((id) => tag(`features.id=${id}`));
    const aspects = (...columns: string[]) => ['+', ...columns].map((name) => tag(`features:${name}`));
    const readsOfPage = (asked: object) =>
      readsOf((bounded) => featureList.page(bounded, organizationId, { ...page, ...asked }));
    expect(await readsOfPage({})).toEqual([tag('features.*'), ...aspects('created_at', 'id'), ...rowTags].sort());
    // The row after the last one says that there is a next page.
    expect(await readsOfPage({ limit: 1 })).toEqual(
      [tag('features.*'), ...aspects('created_at', 'id'), ...rowTags.slice(0, 2)].sort(),
    );
    expect(await readsOfPage({ filters: { status: { status: 'DONE' } }, order: 'NAME' })).toEqual(
      [tag('features.*'), ...aspects('status', 'name', 'id'), rowTags[1]!].sort(),
    );
    const counted = await readsOf((bounded) =>
      featureList.count(bounded, organizationId, { status: { status: 'DONE' } }),
    );
    expect(counted).toEqual([tag('features.*'), ...aspects('status')].sort());
    for (const { id } of others) await deleteFeature(database.pool, organizationId, id);
  });

  test('in a list of what is public is what is public', async () => {
    const read = await readsOf(async (bounded) => {
      await publicFeatureList.page(bounded, viewer.organizationId, { ...page, order: 'UPDATED_AT' });
      await publicFeatureList.count(bounded, viewer.organizationId, { status: { status: 'DONE' } });
    });
    expect(read).toEqual([tag('features.*'), tag('features.is_public=true')]);
  });

  test('of a public feature is its row and its test cases', async () => {
    const read = await readsOf(async (bounded) => {
      await listPublicFeaturesByIds(bounded, viewer.organizationId, [featureId]);
      await listPublicTestSummaries(bounded, viewer.organizationId, [featureId]);
    });
    const [ofFeature, ofTests] = [tag(`features.id=${featureId}`), tag(`test_cases.feature_id=${featureId}`)];
    expect(read).toEqual([tag('features.*'), ofFeature, tag('test_cases.*'), ofTests].sort());
  });

  test('a table that a text names itself counts', async () => {
    const members = statement<{ id: string }>(
      'listMembers',
      sql`select users.id from users where users.organization_id = ${arg('organizationId')}`,
    );
    const { organizationId } = viewer;
    expect(await readsOf((bounded) => members.run(bounded, { organizationId }))).toEqual([tag('users')]);
  });

  test('a statement that says nothing of itself is told of as unknown', async () => {
    const bare = { name: 'bare', text: 'select $1::text', organizationIndex: 0 };
    expect(await readsOf((bounded) => bounded.run(bare, [viewer.organizationId]))).toEqual(['unknown']);
  });
});

describe('what is changed', () => {
  test('is told after the write, which waits for it', async () => {
    const gate = Promise.withResolvers<void>();
    listening = gate.promise;
    let isDone = false;
    const update = updateFeature(pool, viewer.organizationId, featureId, { name: 'Two' }).then(() => {
      isDone = true;
    });
    await expect.poll(() => written).toEqual([renamed()]);
    const [seen] = await listFeaturesByIds(database.pool, viewer.organizationId, [featureId]);
    expect(seen).toMatchObject({ name: 'Two' });
    expect(isDone).toBe(false);
    gate.resolve();
    await update;
  });

  test('is known by rows that were answered, and by parents', async () => {
    const id = newId();
    await insertTestCases(pool, viewer.organizationId, featureId, [{ id, name: 'Works', status: 'PENDING' }]);
    await updateTestResults(pool, viewer.organizationId, [{ id, status: 'PASSED' }]);
    const parent = tag(`test_cases.feature_id=${featureId}`);
    expect(written).toEqual([
      [tag('test_cases'), tag('test_cases:+'), parent].sort(),
      [tag('test_cases'), tag('test_cases:+'), parent, tag(`test_cases.id=${id}`)].sort(),
    ]);
  });

  test('is public, was public or may have been', async () => {
    const { organizationId } = viewer;
    const of = (feature: { id: string }, ...kinds: string[]) =>
      [
        tag('features'),
        tag(`features.id=${feature.id}`),
        ...kinds.map((kind) => tag(`features.is_public=${kind}`)),
      ].sort();
    const [open, closed] = await createFeatures(pool, viewer, [{ isPublic: true }, { isPublic: false }]);
    const [alone] = await createFeatures(pool, viewer, [{ isPublic: false }]);
    await updateFeature(pool, organizationId, open!.id, { name: 'Renamed' });
    await updateFeature(pool, organizationId, closed!.id, { name: 'Renamed' });
    await updateFeature(pool, organizationId, closed!.id, { isPublic: true });
    await updateFeature(pool, organizationId, closed!.id, { isPublic: false });
    const ofBoth = [tag('features'), tag('features.is_public=false'), tag('features.is_public=true')];
    expect(written.map(rowsOnly)).toEqual([
      ofBoth,
      ofBoth.slice(0, 2),
      of(open!, 'true'),
      of(closed!, 'false'),
      of(closed!, 'true'),
      of(closed!, 'true'),
    ]);
    written = [];
    for (const feature of [open!, closed!, alone!]) await deleteFeature(pool, organizationId, feature.id);
    const ofPublic = written.map((tags) => tags.filter((name) => name.includes('is_public')));
    expect(ofPublic).toEqual(['true', 'false', 'false'].map((kind) => [tag(`features.is_public=${kind}`)]));
  });

  test('goes on to what a delete takes with it', async () => {
    const [doomed] = await createFeatures(database.pool, viewer, [{ name: 'Doomed' }]);
    await deleteFeature(pool, viewer.organizationId, doomed!.id);
    expect(written[0]).toEqual(expect.arrayContaining([tag('test_cases.*'), tag('deployments.*')]));
  });

  test('is the whole table unless a statement says more', async () => {
    const rename = statement(
      'renameTestCases',
      sql`update ${testCases} set name = ${arg('name')} where ${testCases.organizationId} = ${arg('organizationId')}`,
    );
    await rename.run(pool, { organizationId: viewer.organizationId, name: 'Renamed' });
    expect(written).toEqual([['test_cases', 'test_cases.*', 'test_cases:+'].map(tag)]);
  });

  test('is every column that an update changes, and no other row', async () => {
    const { organizationId } = viewer;
    const other = await createUser(database.pool, organizationId);
    const rowOf = async (table: string, id: string) => {
      const text = `select * from ${table} where id = $1`;
      const [row] = await database.pool.run<Record<string, unknown>>({ name: 'row', text, isRead: true }, [id]);
      return row!;
    };
    const changedIn = async (table: string, id: string, work: () => Promise<unknown>) => {
      const before = await rowOf(table, id);
      written = [];
      await work();
      const after = await rowOf(table, id);
      const columns = Object.keys(before).filter((name) => String(before[name]) !== String(after[name]));
      expect(written[0]).toContain(tag(`${table}.id=${id}`));
      expect(written[0]!.filter((name) => name.startsWith(tag(`${table}:`)))).toEqual(
        expect.arrayContaining(columns.map((name) => tag(`${table}:${name}`))),
      );
      expect(written[0]).not.toContain(tag(`${table}:+`));
      return columns;
    };
    const found = new Set<string>();
    for (const change of [
      { name: 'Another' },
      { description: 'What it is for' },
      { status: 'DONE' },
      { status: 'PLANNED' },
      { complexityPoints: 8 },
      { ownerId: other },
      { isPublic: true },
      { name: 'Several', status: 'DONE', complexityPoints: 3 },
    ] as const) {
      const update = () => updateFeature(pool, organizationId, featureId, change);
      for (const column of await changedIn('features', featureId, update)) found.add(column);
    }
    expect([...found].sort()).toEqual(
      [
        'complexity_points',
        'completed_at',
        'description',
        'is_public',
        'name',
        'owner_id',
        'status',
        'updated_at',
      ].sort(),
    );
    const { conversation } = await createConversation(database.pool, viewer, ['Hello']);
    const { id } = conversation;
    const message = {
      id: newId(),
      role: 'USER',
      content: 'Now?',
      authorId: null,
      createdAt: '2100-01-01T00:00:00Z',
    } as const;
    const unrated = { ...message, sentimentLabel: null, sentimentScore: null };
    const send = () => insertMessages(pool, organizationId, id, [unrated]);
    expect(await changedIn('conversations', id, send)).toEqual(['last_message_at']);
    await updateFeature(pool, organizationId, featureId, { name: 'Two', isPublic: false });
  });

  test('in a transaction is told once, after its commit', async () => {
    await pool.transaction(async (transaction) => {
      await updateFeature(transaction, viewer.organizationId, featureId, { name: 'Three' });
      await updateFeature(transaction, viewer.organizationId, featureId, { name: 'Four' });
      expect(written).toEqual([]);
    });
    expect(written).toEqual([renamed()]);
  });

  test('is nothing when the database refused the write, or its transaction was rolled back', async () => {
    const refused = updateFeature(pool, viewer.organizationId, featureId, { ownerId: newId() });
    await expect(refused).rejects.toThrow();
    const undone = pool.transaction(async (transaction) => {
      await updateFeature(transaction, viewer.organizationId, featureId, { name: 'Undone' });
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(written).toEqual([]);
  });

  test('may be any row when the answer of a write did not come; told when it is known to be over', async () => {
    const gate = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const holding = database.pool.transaction(async (transaction) => {
      await updateFeature(transaction, viewer.organizationId, featureId, { name: 'Held' });
      held.resolve();
      await gate.promise;
    });
    await held.promise;
    const leaving = new AbortController();
    const bounded = pool.within({ signal: leaving.signal, organizationId: viewer.organizationId });
    const waiting = updateFeature(bounded, viewer.organizationId, featureId, { name: 'Late' });
    const rejected = expect(waiting).rejects.toThrow('gone');
    const lock = { name: 'listWaiting', text: 'select 1 from pg_locks where not granted', isRead: true };
    await expect.poll(() => database.pool.run(lock, [])).toHaveLength(1);
    leaving.abort(new Error('gone'));
    await rejected;
    await expect.poll(() => written.map(rowsOnly)).toEqual([[tag('features'), tag('features.*')]]);
    gate.resolve();
    await holding;
  });

  test('reads change nothing', async () => {
    await listFeaturesByIds(pool, viewer.organizationId, [featureId]);
    expect(written).toEqual([]);
  });
});

test('a delete that takes rows of other tables with it is known: a new cascade is to be thought of here', async () => {
  const text = `select confrelid::regclass::text || ' ' || conrelid::regclass::text as cascade from pg_constraint
    where contype = 'f' and confdeltype = 'c' and conparentid = 0 and confrelid <> 'organizations'::regclass order by 1`;
  const rows = await database.pool.run<{ cascade: string }>({ name: 'listCascades', text, isRead: true }, []);
  // Of these parents only features are deleted by a statement, deleteFeature, which names both.
  expect(rows.map(({ cascade }) => cascade)).toEqual([
    'conversations messages',
    'documents document_passages',
    'features deployments',
    'features test_cases',
    'sites forecast_points',
    'sites readings',
    'users idempotency_keys',
  ]);
});
