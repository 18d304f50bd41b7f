import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Viewer } from '../../../context.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import { createFeatures, createOrganization, createTestCases } from '../../../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp } from '../../../testing/test-app.ts';
import type { Feature } from '../tables.ts';

let app: TestApp;
/** Whose features they are, and somebody else. */
let owner: Viewer;
let stranger: Viewer;
let organizationId: string;
let shown: Feature[];
let hidden: Feature;

beforeAll(async () => {
  app = await createTestApp();
  owner = app.viewer;
  stranger = await createOrganization(app.database.pool);
  organizationId = encodeGlobalId('Organization', owner.organizationId);
  const features = await createFeatures(app.database.pool, owner, [
    { name: 'Shown', description: 'For all', status: 'PLANNED', isPublic: true },
    { name: 'Shown, too', status: 'DONE', isPublic: true },
    { name: 'Hidden' },
  ]);
  shown = features.slice(0, 2);
  hidden = features[2]!;
  for (const feature of features) await createTestCases(app.database.pool, owner, feature.id, 4);
});

afterAll(() => app.close());

const one = `query ($organizationId: ID!, $id: ID!) { publicFeature(organizationId: $organizationId, id: $id) {
  id name description status testSummary { passed total } } }`;
const list = `query ($organizationId: ID!, $status: FeatureStatus) {
  publicFeatures(organizationId: $organizationId, status: $status) { totalCount nodes { id name testSummary { total } } } }`;

const publicId = ({ id }: Feature) => encodeGlobalId('PublicFeature', id);

describe('a public feature', () => {
  test('is seen by everybody, by either of its ids', async () => {
    const [feature] = shown as [Feature];
    const seen = { id: publicId(feature), name: 'Shown', description: 'For all', status: 'PLANNED' };
    for (const viewer of [null, stranger, owner]) {
      for (const id of [publicId(feature), encodeGlobalId('Feature', feature.id)]) {
        const answer = await app.query(one, { organizationId, id }, viewer);
        expect(answer.errors).toBeUndefined();
        expect(answer.data.publicFeature).toEqual({ ...seen, testSummary: { passed: 1, total: 4 } });
      }
    }
  });

  test('is not told from an unknown one when it is not public, or of another organization', async () => {
    const others = encodeGlobalId('Organization', stranger.organizationId);
    const nobodys = encodeGlobalId('Organization', shown[0]!.id);
    for (const viewer of [null, stranger, owner]) {
      for (const wanted of [
        { organizationId, id: publicId(hidden) },
        { organizationId, id: encodeGlobalId('Feature', hidden.id) },
        { organizationId, id: encodeGlobalId('Feature', owner.userId) },
        { organizationId: others, id: publicId(shown[0]!) },
        { organizationId: nobodys, id: publicId(shown[0]!) },
      ]) {
        const answer = await app.query(one, wanted, viewer);
        expect(answer).toMatchObject({ status: 200, data: { publicFeature: null } });
        expect(answer.errors).toBeUndefined();
      }
    }
  });

  test('is no node, and its feature is its members’ only', async () => {
    const [feature] = shown as [Feature];
    const node = await app.query('query ($id: ID!) { node(id: $id) { id } }', { id: publicId(feature) }, owner);
    expect(node.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'id' }] });
    const id = encodeGlobalId('Feature', feature.id);
    const foreign = await app.query(
      'query ($id: ID!) { node(id: $id) { id } feature(id: $id) { id } }',
      { id },
      stranger,
    );
    expect(foreign).toMatchObject({ data: { node: null, feature: null } });
  });

  test('is asked for by ids of its own kind', async () => {
    const id = publicId(shown[0]!);
    const answer = await app.query(one, { organizationId: id, id }, null);
    expect(answer.errors?.[0]?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      issues: [{ path: 'organizationId', message: 'expected the id of an Organization' }],
    });
    const other = await app.query(one, { organizationId, id: organizationId }, null);
    expect(other.errors?.[0]?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      issues: [{ path: 'id', message: 'expected the id of a PublicFeature or Feature' }],
    });
  });
});

describe('the public features', () => {
  test('are listed for everybody, all of them or those of a status', async () => {
    for (const viewer of [null, stranger, owner]) {
      const all = await app.query(list, { organizationId }, viewer);
      expect(all.data.publicFeatures.totalCount).toBe(2);
      expect(all.data.publicFeatures.nodes).toEqual(
        shown.map((feature) => ({ id: publicId(feature), name: feature.name, testSummary: { total: 4 } })).reverse(),
      );
      const done = await app.query(list, { organizationId, status: 'DONE' }, viewer);
      expect(done.data.publicFeatures).toMatchObject({ totalCount: 1, nodes: [{ name: 'Shown, too' }] });
    }
  });

  test('of an organization without any, or of none, are none', async () => {
    for (const id of [stranger.organizationId, hidden.id]) {
      const answer = await app.query(list, { organizationId: encodeGlobalId('Organization', id) }, null);
      expect(answer.errors).toBeUndefined();
      expect(answer.data).toEqual({ publicFeatures: { totalCount: 0, nodes: [] } });
    }
  });

  test('are looked up in one statement for each organization, as are their summaries', async () => {
    const [feature] = await createFeatures(app.database.pool, stranger, [{ name: 'Theirs', isPublic: true }]);
    const others = encodeGlobalId('Organization', stranger.organizationId);
    const wanted = [
      ...shown.map((each) => [organizationId, publicId(each)]),
      [organizationId, publicId(hidden)],
      [others, publicId(feature!)],
    ];
    const fields = wanted.map(
      ([of, id], index) =>
        `f${index}: publicFeature(organizationId: "${of}", id: "${id}") { name testSummary { total } }`,
    );
    let names: unknown;
    const statements = await countStatements(app, async () => {
      const { data } = await app.query(`{ ${fields.join(' ')} }`, {}, null);
      names = Object.values(data as Record<string, { name: string } | null>).map((each) => each?.name ?? null);
    });
    expect(names).toEqual(['Shown', 'Shown, too', null, 'Theirs']);
    expect(statements.sort()).toEqual([
      'listPublicFeaturesByIds',
      'listPublicFeaturesByIds',
      'listPublicTestSummariesByFeatureId',
      'listPublicTestSummariesByFeatureId',
    ]);
  });

  test('are what mutations say, at once', async () => {
    const created = await app.query(
      'mutation { createFeature(input: { name: "New", isPublic: true }) { feature { id isPublic } } }',
    );
    const { id, isPublic } = created.data.createFeature.feature;
    expect(isPublic).toBe(true);
    const ask = async () => (await app.query(one, { organizationId, id }, null)).data.publicFeature;
    const update = (change: string) =>
      app.query(`mutation ($id: ID!) { updateFeature(input: { id: $id, ${change} }) { feature { isPublic } } }`, {
        id,
      });
    expect(await ask()).toMatchObject({ name: 'New' });
    await update('name: "Newer"');
    expect(await ask()).toMatchObject({ name: 'Newer' });
    await update('isPublic: false');
    expect(await ask()).toBeNull();
    await update('isPublic: true');
    expect(await ask()).toMatchObject({ name: 'Newer' });
    const plain = await app.query(
      'mutation { createFeatures(input: { features: [{ name: "Plain" }, { name: "Open", isPublic: true }] }) { features { isPublic } } }',
    );
    expect(plain.data.createFeatures.features).toEqual([{ isPublic: false }, { isPublic: true }]);
  });
});

test('a person’s organization is a node of its members', async () => {
  const own = await app.query('{ viewer { organization { id name } } }', {}, owner);
  expect(own.data.viewer.organization).toEqual({ id: organizationId, name: 'Test' });
  const node = 'query ($id: ID!) { node(id: $id) { ... on Organization { name } } }';
  expect((await app.query(node, { id: organizationId }, owner)).data).toEqual({ node: { name: 'Test' } });
  expect((await app.query(node, { id: organizationId }, stranger)).data).toEqual({ node: null });
});
