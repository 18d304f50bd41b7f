import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../../context.ts';
import { newId } from '../../../db/id.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import { createFeatures, createOrganization } from '../../../testing/seed-builders.ts';
import { digestTables } from '../../../testing/table-digest.ts';
import { type Answer, countStatements, createTestApp, type TestApp } from '../../../testing/test-app.ts';

let app: TestApp;
let viewer: Viewer;
let id: string;

beforeAll(async () => {
  app = await createTestApp();
});

beforeEach(async () => {
  viewer = await createOrganization(app.database.pool);
  const [feature] = await createFeatures(app.database.pool, viewer, [{ name: 'Old' }]);
  id = encodeGlobalId('Feature', feature!.id);
});

afterAll(() => app.close());

async function findFeature(): Promise<{ name: string; updatedAt: string } | null> {
  const document = 'query ($id: ID!) { feature(id: $id) { name updatedAt } }';
  return (await app.query(document, { id }, viewer)).data.feature;
}

function update(expectedUpdatedAt: string | null | undefined, changes: object = { name: 'New' }) {
  const document =
    'mutation ($input: UpdateFeatureInput!) { updateFeature(input: $input) { feature { name updatedAt } } }';
  return app.query(document, { input: { id, ...changes, expectedUpdatedAt } }, viewer);
}

function remove(expectedUpdatedAt: string | null | undefined) {
  const document = 'mutation ($input: DeleteFeatureInput!) { deleteFeature(input: $input) { deletedId } }';
  return app.query(document, { input: { id, expectedUpdatedAt } }, viewer);
}

/** Sets the time of the last change, as SQL writes it. */
function setUpdatedAt(time: string) {
  const text = `update features set updated_at = ${time} where organization_id = $1`;
  return app.database.pool.run({ name: 'testSetUpdatedAt', text }, [viewer.organizationId]);
}

async function expectConflict(work: () => Promise<Answer>): Promise<void> {
  const before = await digestTables(app.database.pool, viewer.organizationId);
  const { updatedAt } = (await findFeature())!;
  const answer = await work();
  expect(answer.data).toBeNull();
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'CONFLICT', currentUpdatedAt: updatedAt });
  expect(answer.errors?.[0]?.message).toContain(updatedAt);
  expect(await digestTables(app.database.pool, viewer.organizationId)).toEqual(before);
}

const longAgo = '2020-01-01T00:00:00Z';

describe.each([
  ['updateFeature', (expected?: string | null) => update(expected)],
  ['deleteFeature', remove],
])('%s', (field, mutate) => {
  test.each([`'2024-05-06 07:08:09.123456Z'`, `'2024-05-06 07:08:09.5Z'`, `'2024-05-06 07:08:09Z'`, 'now()'])(
    'takes the updatedAt that was read, here of %s, in one statement',
    async (time) => {
      await setUpdatedAt(time);
      const seen = (await findFeature())!;
      let answer: Answer | undefined;
      const statements = await countStatements(app, async () => {
        answer = await mutate(seen.updatedAt);
      });
      expect(answer?.errors).toBeUndefined();
      expect(statements).toEqual([field]);
    },
  );

  test('takes the same moment in another zone, and none at all', async () => {
    await setUpdatedAt(`'2024-05-06 07:08:09.123456Z'`);
    expect((await update('2024-05-06T09:08:09.123456+02:00')).errors).toBeUndefined();
    expect((await mutate(null)).errors).toBeUndefined();
  });

  test('refuses any other, and says which it is', async () => {
    await setUpdatedAt(`'2024-05-06 07:08:09.123456Z'`);
    for (const other of [longAgo, '2024-05-06T07:08:09.123455Z', '2024-05-06T07:08:09.123Z', '9999-12-31T23:59:59Z']) {
      await expectConflict(() => mutate(other));
    }
    expect((await findFeature())!.updatedAt).toBe('2024-05-06T07:08:09.123456Z');
  });

  test('does not say CONFLICT of a feature that is not there or another organization’s', async () => {
    const [foreign] = await createFeatures(app.database.pool, await createOrganization(app.database.pool), [{}]);
    for (const key of [newId(), foreign!.id]) {
      id = encodeGlobalId('Feature', key);
      const { code, issues, currentUpdatedAt } = (await mutate(longAgo)).errors![0]!.extensions;
      expect({ code, issues, currentUpdatedAt }).toEqual({
        code: 'NOT_FOUND',
        issues: [{ path: 'input.id', message: 'no Feature with this id' }],
      });
    }
  });

  test('lets one of 20 through that saw the same', async () => {
    const seen = (await findFeature())!.updatedAt;
    const answers = await Promise.all(Array.from({ length: 20 }, () => mutate(seen)));
    const codes = answers.map(({ errors }) => errors?.[0]?.extensions.code ?? 'done').sort();
    expect(codes.filter((code) => code === 'done')).toHaveLength(1);
    expect(new Set(codes)).toEqual(new Set([field === 'updateFeature' ? 'CONFLICT' : 'NOT_FOUND', 'done']));
  });
});

test('no increment of 20 clients is lost when each tries again upon CONFLICT', async () => {
  const document = 'query ($id: ID!) { feature(id: $id) { complexityPoints updatedAt } }';
  const increment = async (): Promise<void> => {
    const { complexityPoints, updatedAt } = (await app.query(document, { id }, viewer)).data.feature;
    const answer = await update(updatedAt, { complexityPoints: complexityPoints + 1 });
    if (answer.errors?.[0]?.extensions.code === 'CONFLICT') return increment();
    expect(answer.errors).toBeUndefined();
  };
  await Promise.all(Array.from({ length: 20 }, increment));
  expect((await app.query(document, { id }, viewer)).data.feature.complexityPoints).toBe(21);
});

test('updatedAt grows with each change, also when the clock was ahead', async () => {
  await setUpdatedAt(`now() + interval '1 hour'`);
  const times = [(await findFeature())!.updatedAt];
  for (let change = 0; change < 5; change++) {
    const answer = await update(times.at(-1), { name: 'Same' });
    times.push(answer.data.updateFeature.feature.updatedAt);
  }
  const microseconds = times.map((time) => Number(/\.(\d+)Z$/.exec(time)?.[1]?.padEnd(6, '0') ?? 0));
  expect(microseconds.slice(1)).toEqual(microseconds.slice(0, -1).map((value) => (value + 1) % 1_000_000));
});

test('an expectation is no change', async () => {
  const answer = await update((await findFeature())!.updatedAt, {});
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'input' }] });
});
