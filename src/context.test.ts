import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Context, createContext, type Dependencies, type Viewer } from './context.ts';
import type { Database } from './db/database.ts';
import { arg, statement } from './db/statement.ts';
import { listPublicFeaturesByIds } from './domains/features/public-queries.ts';
import { featureList, listFeaturesByIds, updateFeature } from './domains/features/queries.ts';
import { features } from './domains/features/tables.ts';
import { createFeatures, createOrganization } from './testing/seed-builders.ts';
import { createTestApp, type TestApp, viewerHeader } from './testing/test-app.ts';

let app: TestApp;
let dependencies: Dependencies;
/** An organization that shows a feature to everybody, and one that reads it. */
let owner: Viewer;
let stranger: Viewer;
let featureId: string;

beforeAll(async () => {
  app = await createTestApp({
    wrapDependencies: (given) => {
      dependencies = given;
      return given;
    },
  });
  owner = app.viewer;
  stranger = await createOrganization(app.database.pool);
  const [feature] = await createFeatures(app.database.pool, owner, [{ name: 'Shown', isPublic: true }]);
  featureId = feature!.id;
});

afterAll(() => app.close());

function contextOf(viewer: Viewer | null, signal = new AbortController().signal): Promise<Context> {
  const request = new Request('http://test/graphql', { headers: { [viewerHeader]: JSON.stringify(viewer) } });
  const remainingMs = () => Number.POSITIVE_INFINITY;
  return createContext(dependencies, request, { requestId: 'r', signal, remainingMs, checkListSize: () => {} });
}

const page = { filters: {}, order: 'CREATED_AT', direction: 'ASC', limit: 1, isBackward: false } as const;

describe('the database of what is public', () => {
  test('answers what an organization shows to everybody, and says what was read', async () => {
    for (const viewer of [null, stranger, owner]) {
      const { publicDatabase, reads } = await contextOf(viewer);
      reads.start();
      const { organizationId } = owner;
      const found = await listPublicFeaturesByIds(publicDatabase(organizationId), organizationId, [featureId]);
      expect(found).toMatchObject([{ name: 'Shown' }]);
      expect(reads.tags).toContain(`${organizationId}/features.id=${featureId}`);
    }
  });

  test.each<[string, (database: Database, organizationId: string) => Promise<unknown>]>([
    ['a look-up', (database, organizationId) => listFeaturesByIds(database, organizationId, [featureId])],
    [
      'a list',
      (database, organizationId) => featureList.page(database, organizationId, { ...page, after: null, before: null }),
    ],
    ['a write', (database, organizationId) => updateFeature(database, organizationId, featureId, { name: 'Mine' })],
    ['a transaction', (database) => database.transaction(async () => 'begun')],
    [
      'a write that calls itself public',
      (database, organizationId) =>
        statement(
          'hide',
          sql`update ${features} set name = 'Mine' where ${features.organizationId} = ${arg('organizationId')} and ${features.isPublic}`,
          {
            isPublic: true,
          },
        ).run(database, { organizationId }),
    ],
  ])('refuses %s, also to members', async (_what, work) => {
    for (const viewer of [null, stranger, owner]) {
      const { publicDatabase } = await contextOf(viewer);
      await expect(work(publicDatabase(owner.organizationId), owner.organizationId)).rejects.toThrow(/public/);
    }
    expect(await listFeaturesByIds(app.database.pool, owner.organizationId, [featureId])).toMatchObject([
      { name: 'Shown' },
    ]);
  });

  test('is that of one organization', async () => {
    const { publicDatabase } = await contextOf(stranger);
    const asked = listPublicFeaturesByIds(publicDatabase(stranger.organizationId), owner.organizationId, [featureId]);
    await expect(asked).rejects.toThrow('listPublicFeaturesByIds does not name the viewer');
  });

  test('ends with its request', async () => {
    const { publicDatabase } = await contextOf(null, AbortSignal.abort(new Error('gone')));
    const { organizationId } = owner;
    const asked = listPublicFeaturesByIds(publicDatabase(organizationId), organizationId, [featureId]);
    await expect(asked).rejects.toThrow('gone');
  });

  test('opens no other door: a public statement names its organization elsewhere, too', async () => {
    const { database } = await contextOf(stranger);
    const asked = listPublicFeaturesByIds(database, owner.organizationId, [featureId]);
    await expect(asked).rejects.toThrow('does not name the viewer');
  });
});

test('a statement that calls itself public has a condition on is_public', () => {
  const all = sql`select ${features.isPublic} from ${features} where ${features.organizationId} = ${arg('organizationId')}`;
  expect(() => statement('listAll', all, { isPublic: true })).toThrow('listAll: expected a condition on is_public');
  const some = sql`${all} and ${features.isPublic}`;
  expect(statement('listSome', some, { isPublic: true }).isPublic).toBe(true);
});
