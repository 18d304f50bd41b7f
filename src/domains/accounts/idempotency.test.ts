import { getNamedType, isInputObjectType } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../context.ts';
import type { SharedDatabase } from '../../db/database.ts';
import { newId } from '../../db/id.ts';
import { encodeGlobalId } from '../../schema/global-id.ts';
import { schema } from '../../schema/index.ts';
import {
  createConversation,
  createFeatures,
  createOrganization,
  createSite,
  createUser,
} from '../../testing/seed-builders.ts';
import { digestTables } from '../../testing/table-digest.ts';
import { countStatements, createTestApp, type TestApp } from '../../testing/test-app.ts';

let app: TestApp;
let viewer: Viewer;
let ids: { feature: string; conversation: string; site: string };
/** Whether the next transaction's commit is done, but its answer lost. */
let isAnswerLost = false;

function loseAnswers(database: SharedDatabase): SharedDatabase {
  return {
    run: (statement, values) => database.run(statement, values),
    transaction: (work) => database.transaction(work),
    within: (bounds) => {
      const bounded = database.within(bounds);
      return {
        run: (statement, values) => bounded.run(statement, values),
        transaction: async (work) => {
          const result = await bounded.transaction(work);
          if (!isAnswerLost) return result;
          isAnswerLost = false;
          throw new Error('the process has died here');
        },
      };
    },
  };
}

beforeAll(async () => {
  app = await createTestApp({
    wrapDependencies: (given) => ({
      ...given,
      database: loseAnswers(given.database),
      predictions: { record() {} },
    }),
  });
});

beforeEach(async () => {
  viewer = await createOrganization(app.database.pool);
  const [feature] = await createFeatures(app.database.pool, viewer, [{}]);
  const { conversation } = await createConversation(app.database.pool, viewer, []);
  const site = await createSite(app.database.pool, viewer, 0);
  ids = {
    feature: encodeGlobalId('Feature', feature!.id),
    conversation: encodeGlobalId('Conversation', conversation.id),
    site: encodeGlobalId('Site', site.id),
  };
});

afterAll(() => app.close());

type Input = Record<string, unknown>;

interface Case {
  selection: string;
  /** An input, and another with other text. */
  input(text: string): Input;
  /** Makes it an input that is refused after its key was claimed; null: nothing can refuse it then. */
  broken: (() => Input) | null;
}

const nobody = (type: string) => encodeGlobalId(type, newId());

const cases: Readonly<Record<string, Case>> = {
  createFeature: {
    selection: 'feature { id name description }',
    input: (text) => ({ name: text }),
    broken: () => ({ ownerId: nobody('User') }),
  },
  createFeatures: {
    selection: 'features { id name }',
    input: (text) => ({ features: [{ name: text }, { name: 'same' }, { name: 'same' }] }),
    broken: () => ({ features: [{ name: 'x', ownerId: nobody('User') }] }),
  },
  addTestCases: {
    selection: 'testCases { id name }',
    input: (text) => ({ featureId: ids.feature, testCases: [{ name: 'z' }, { name: text }] }),
    broken: () => ({ featureId: nobody('Feature') }),
  },
  startConversation: {
    selection: 'conversation { id title }',
    input: (text) => ({ title: text }),
    broken: () => ({ userId: nobody('User') }),
  },
  sendMessage: {
    selection: 'message { id content }',
    input: (text) => ({ conversationId: ids.conversation, content: text }),
    broken: () => ({ conversationId: nobody('Conversation') }),
  },
  importMessages: {
    selection: 'messages { id content }',
    input: (text) => ({
      conversationId: ids.conversation,
      messages: ['z', text].map((content) => ({ content, role: 'USER' })),
    }),
    broken: () => ({ messages: [{ content: 'x', role: 'USER', authorId: nobody('User') }] }),
  },
  uploadDocument: {
    selection: 'document { id title content }',
    input: (text) => ({ title: 'Manual', content: text }),
    broken: null,
  },
  createSite: {
    selection: 'site { id name }',
    input: (text) => ({ name: text, timeZone: 'Europe/Berlin' }),
    broken: null,
  },
  ingestReadings: {
    selection: 'site { id } inserted replaced',
    input: (text) => ({ siteId: ids.site, readings: [{ at: '2023-01-01T00:00:00Z', loadMw: text.length }] }),
    broken: () => ({ siteId: nobody('Site') }),
  },
};
const names = Object.keys(cases);

function mutate(field: string, input: Input, as = viewer) {
  const type = `${field[0]!.toUpperCase()}${field.slice(1)}Input!`;
  const document = `mutation ($input: ${type}) { ${field}(input: $input) { ${cases[field]!.selection} } }`;
  return app.query(document, { input }, as);
}

async function done(field: string, input: Input, as = viewer) {
  const answer = await mutate(field, input, as);
  expect(answer.errors).toBeUndefined();
  return answer.data[field];
}

const digest = () => digestTables(app.database.pool, viewer.organizationId);

async function expectRefused(field: string, input: Input, code: string): Promise<void> {
  const before = await digest();
  const answer = await mutate(field, input);
  expect(answer.errors?.[0]?.extensions.code).toBe(code);
  expect(await digest()).toEqual(before);
}

/** Runs SQL on the keys of the viewer's organization. */
function onKeys<Row>(text: string): Promise<Row[]> {
  return app.database.pool.run<Row>({ name: 'testKeys', text }, [viewer.organizationId]);
}

test('every mutation that creates takes a key, and is tried here', () => {
  const others = ['updateFeature', 'deleteFeature', 'recordTestResults'];
  // With its rollout, by its own tests.
  const elsewhere = ['setModelRollout'];
  const mutations = Object.values(schema.getMutationType()!.getFields());
  expect(mutations.map(({ name }) => name).sort()).toEqual([...names, ...elsewhere, ...others].sort());
  for (const { name, args } of mutations) {
    const input = getNamedType(args[0]!.type);
    const hasKey = isInputObjectType(input) && 'idempotencyKey' in input.getFields();
    expect(hasKey, name).toBe(!others.includes(name));
  }
});

describe.each(names)('%s', (field) => {
  const { input, broken } = cases[field]!;

  test('answers the first result again, and does nothing', async () => {
    const given = { ...input('text'), idempotencyKey: 'key' };
    const first = await done(field, given);
    const before = await digest();
    let again: unknown;
    const statements = await countStatements(app, async () => {
      again = await done(field, given);
    });
    expect(again).toEqual(first);
    expect(await digest()).toEqual(before);
    expect(statements[0]).toBe('findIdempotencyKey');
    expect(statements.slice(1)).toEqual([expect.stringMatching(/^list\w+ByIds$/)]);
  });

  test('does it each time without a key or with a new one', async () => {
    const answers = [];
    for (const idempotencyKey of [undefined, null, 'a', 'b']) {
      answers.push(JSON.stringify(await done(field, { ...input('text'), idempotencyKey })));
    }
    // Readings that were stored once are replaced from then on.
    expect(new Set(answers).size).toBe(field === 'ingestReadings' ? 2 : answers.length);
  });

  test('refuses the key of another input or another mutation', async () => {
    await done(field, { ...input('text'), idempotencyKey: 'key' });
    await expectRefused(field, { ...input('other text'), idempotencyKey: 'key' }, 'CONFLICT');
    const other = names[(names.indexOf(field) + 1) % names.length]!;
    await expectRefused(other, { ...cases[other]!.input('text'), idempotencyKey: 'key' }, 'CONFLICT');
  });

  test.each(broken ? [broken] : [])('leaves the key free when it is refused', async (breakInput) => {
    await expectRefused(field, { ...input('text'), ...breakInput(), idempotencyKey: 'free' }, 'NOT_FOUND');
    await done(field, { ...input('text'), idempotencyKey: 'free' });
  });

  test('answers the first result when the answer was lost after the commit', async () => {
    const given = { ...input('text'), idempotencyKey: 'key' };
    isAnswerLost = true;
    expect((await mutate(field, given)).errors?.[0]?.extensions.code).toBe('INTERNAL');
    expect(isAnswerLost).toBe(false);
    const before = await digest();
    await done(field, given);
    expect(await digest()).toEqual(before);
  });

  test('is done once by 50 at the same time', async () => {
    const given = { ...input('text'), idempotencyKey: 'key' };
    const before = await digest();
    const answers = await Promise.all(Array.from({ length: 50 }, () => done(field, given)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    const after = await digest();
    const added = Object.keys(after).map((table) => [table, after[table]!.rows - before[table]!.rows] as const);
    const once = Object.values(answers[0]).map((made) => (Array.isArray(made) ? made.length : 1))[0];
    expect(added.filter(([table]) => table === 'idempotency_keys')).toEqual([['idempotency_keys', 1]]);
    // A document brings its passages and their count.
    const beside = ['idempotency_keys', 'document_passages', 'embedding_states'];
    expect(added.filter(([table, count]) => !beside.includes(table) && count > 0)).toEqual([
      [expect.any(String), once],
    ]);
  });

  test('is won by one of 50 different inputs', async () => {
    const given = (index: number) => ({ ...input('x'.repeat(index + 1)), idempotencyKey: 'key' });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => mutate(field, given(index))));
    const codes = answers.map(({ errors }) => errors?.[0]?.extensions.code);
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(codes.filter((code) => code === 'CONFLICT')).toHaveLength(49);
  });
});

describe('a key', () => {
  const given = { name: 'Search', idempotencyKey: 'key' };

  test('is the user’s own', async () => {
    const colleague = { ...viewer, userId: await createUser(app.database.pool, viewer.organizationId) };
    const stranger = await createOrganization(app.database.pool);
    const made = [viewer, colleague, stranger].map(async (as) => (await done('createFeature', given, as)).feature.id);
    expect(new Set(await Promise.all(made)).size).toBe(3);
    await done('createFeature', { ...given, idempotencyKey: 'KEY' });
    expect((await onKeys('select from idempotency_keys where organization_id = $1')).length).toBe(3);
  });

  test('means the same input, however it is written', async () => {
    const { feature } = await done('createFeature', given);
    const same = { idempotencyKey: 'key', status: 'PLANNED', description: null, name: ' Search ' };
    expect((await done('createFeature', same)).feature.id).toBe(feature.id);
  });

  test('answers the row as it is now, and says when it is gone', async () => {
    const { feature } = await done('createFeature', given);
    const change = `mutation ($id: ID!) { updateFeature(input: { id: $id, name: "Find" }) { feature { id } } }`;
    await app.query(change, { id: feature.id }, viewer);
    expect(await done('createFeature', given)).toEqual({ feature: { ...feature, name: 'Find' } });
    await app.query(
      `mutation ($id: ID!) { deleteFeature(input: { id: $id }) { deletedId } }`,
      { id: feature.id },
      viewer,
    );
    await expectRefused('createFeature', given, 'NOT_FOUND');
    expect((await mutate('createFeature', given)).errors?.[0]?.message).toBe(
      'input.idempotencyKey: what was made with this key has been deleted since',
    );
  });

  test('counts within one document as well', async () => {
    const document = (second: string) => `mutation {
      first: createFeature(input: { name: "a", idempotencyKey: "${second}" }) { feature { id } }
      second: createFeature(input: { name: "${second}", idempotencyKey: "${second}" }) { feature { id } }
    }`;
    const same = await app.query(document('a'), {}, viewer);
    expect(same.data.second).toEqual(same.data.first);
    const other = await app.query(document('b'), {}, viewer);
    expect(other.errors).toMatchObject([{ path: ['second'], extensions: { code: 'CONFLICT' } }]);
  });

  test.each(['', ' ', 'two words', 'tab\t', 'ключ', 'k'.repeat(201), '\u007f'])('cannot be %j', async (key) => {
    const answer = await mutate('createFeature', { name: 'x', idempotencyKey: key });
    const issue = { path: 'input.idempotencyKey', message: 'expected 1 to 200 visible ASCII characters' };
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [issue] });
  });

  test.each(['k', '~!"#$%&\'()*+,-./:;<=>?@[]^_`{|}\\', 'k'.repeat(200), '__proto__'])('can be %s', async (key) => {
    const first = await done('createFeature', { name: 'x', idempotencyKey: key });
    expect(await done('createFeature', { name: 'x', idempotencyKey: key })).toEqual(first);
  });

  test('stands beside the list, not within', async () => {
    const answer = await mutate('createFeatures', { features: [{ name: 'a' }, given] });
    const issue = { path: 'input.features.1.idempotencyKey', message: expect.stringContaining('beside the list') };
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [issue] });
  });

  test('is free again after 7 days, and old ones are cleared by and by', async () => {
    const { feature } = await done('createFeature', given);
    await onKeys(`insert into idempotency_keys (organization_id, user_id, key, mutation, fingerprint)
      select organization_id, user_id, 'old ' || n, mutation, fingerprint from idempotency_keys, generate_series(1, 15) as n
      where organization_id = $1`);
    const age = (days: string) =>
      onKeys(`update idempotency_keys set created_at = now() - interval '${days}' where organization_id = $1`);
    await age('6 days 23 hours');
    expect((await done('createFeature', given)).feature.id).toBe(feature.id);
    await age('7 days 1 second');
    expect((await done('createFeature', { ...given, name: 'Other' })).feature.id).not.toBe(feature.id);
    const count = async () => (await onKeys('select from idempotency_keys where organization_id = $1')).length;
    expect(await count()).toBe(6);
    await done('createFeature', { ...given, idempotencyKey: 'next' });
    expect(await count()).toBe(2);
  });

  test('goes with its user and organization', async () => {
    const { organizationId } = await createOrganization(app.database.pool).then(async (stranger) => {
      await done('createSite', { name: 'x', timeZone: 'UTC', idempotencyKey: 'key' }, stranger);
      return stranger;
    });
    const run = (text: string) => app.database.pool.run({ name: 'testDelete', text }, [organizationId]);
    await run('delete from sites where organization_id = $1');
    await run('delete from organizations where id = $1');
    expect(await run('select from idempotency_keys where organization_id = $1')).toEqual([]);
  });
});

describe('many at the same time', () => {
  test('with few keys and one conversation, none waits for another in a circle', async () => {
    const requests = Array.from({ length: 200 }, (_, index) => {
      const idempotencyKey = `key-${index % 7}`;
      if (index % 3 === 0) return mutate('createFeature', { name: 'x', idempotencyKey: `feature-${index % 5}` });
      const content = `Message of ${idempotencyKey}`;
      return mutate('sendMessage', { conversationId: ids.conversation, content, idempotencyKey });
    });
    const answers = await Promise.all(requests);
    expect(answers.flatMap(({ errors = [] }) => errors)).toEqual([]);
    const made = answers.map(({ data }) => (data.sendMessage?.message ?? data.createFeature.feature).id);
    expect(new Set(made).size).toBe(7 + 5);
  });

  test('readings in opposite orders do not wait for each other in a circle', async () => {
    const readings = Array.from({ length: 2_000 }, (_, index) => ({
      at: new Date(Date.UTC(2023, 0, 1, index)).toISOString(),
      loadMw: 1,
    }));
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        mutate('ingestReadings', {
          siteId: ids.site,
          readings: index % 2 === 0 ? readings : readings.toReversed(),
          idempotencyKey: `key-${index}`,
        }),
      ),
    );
    expect(answers.flatMap(({ errors = [] }) => errors)).toEqual([]);
  });
});
