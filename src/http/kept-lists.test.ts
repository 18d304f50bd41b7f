import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerCache } from '../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../cache/invalidation-log.ts';
import { readConfig } from '../config.ts';
import type { Dependencies } from '../context.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import { createRandom } from '../seed/random.ts';
import { createConversation, createFeatures } from '../testing/seed-builders.ts';
import { createTestApp, type TestApp, unlimitedCost, viewerHeader } from '../testing/test-app.ts';
import { createApp } from './app.ts';

let app: TestApp;
/** The same server without a cache. */
let fresh: ReturnType<typeof createApp>;

beforeAll(async () => {
  let dependencies: Dependencies | undefined;
  const cache = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 24 });
  const wrapDependencies = (given: Dependencies) => {
    dependencies = given;
    return given;
  };
  app = await createTestApp({ cache, settings: unlimitedCost, wrapDependencies });
  const settings = { ...readConfig({ NODE_ENV: 'test' }), ...unlimitedCost };
  const log = pino({ level: 'silent' });
  fresh = createApp({ dependencies: dependencies!, log, registry: new Registry(), settings });
});

afterAll(() => app.close());

const ask = async (document: string) => {
  const { data, errors, headers } = await app.query(document);
  expect(errors).toBeUndefined();
  return { data, isKept: headers.get('cache-status')!.includes('hit') };
};

const askFresh = async (query: string) => {
  const response = await fresh.fetch('http://test/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', [viewerHeader]: JSON.stringify(app.viewer) },
    body: JSON.stringify({ query }),
  });
  return ((await response.json()) as { data: unknown }).data;
};

const change = async (mutation: string) => {
  const { data, errors } = await app.query(`mutation { ${mutation} }`);
  expect(errors).toBeUndefined();
  return data;
};

const byName = 'orderBy: { field: NAME, direction: ASC }';
const createAll = async (names: readonly string[]): Promise<string[]> => {
  const rows = await createFeatures(
    app.database.pool,
    app.viewer,
    names.map((name) => ({ name })),
  );
  return rows.map(({ id }) => encodeGlobalId('Feature', id));
};
const update = (id: string, fields: string) =>
  change(`updateFeature(input: { id: "${id}", ${fields} }) { feature { id } }`);
const remove = (id: string) => change(`deleteFeature(input: { id: "${id}" }) { deletedId }`);

describe('a list that is kept', () => {
  /** A, B, C and D. */
  let ids: string[];
  const list = `{ features(first: 2, ${byName}) { nodes { name status } pageInfo { hasNextPage } } }`;

  beforeEach(async () => {
    ids = await createAll(['A', 'B', 'C', 'D']);
    await change('createFeature(input: { name: "E" }) { feature { id } }');
    await ask(list);
    expect((await ask(list)).isKept).toBe(true);
  });

  afterEach(async () => {
    const { data } = await ask(`{ features(first: 50, ${byName}) { nodes { id } } }`);
    for (const { id } of data.features.nodes) await remove(id);
  });

  test.each([
    ['a row of it changes', () => update(ids[0]!, 'status: DONE')],
    ['the row after it changes', () => update(ids[2]!, 'status: DONE')],
    ['a row moves into it', () => update(ids[3]!, 'name: "AA"')],
    ['a row comes', () => change('createFeature(input: { name: "0" }) { feature { id } }')],
    ['a row goes', () => remove(ids[3]!)],
  ])('goes when %s', async (_what, write) => {
    await write();
    expect((await ask(list)).isKept).toBe(false);
  });

  test('stays when another row changes in what decides nothing of it', async () => {
    await update(ids[3]!, 'status: DONE, complexityPoints: 5');
    expect((await ask(list)).isKept).toBe(true);
  });

  test('of conversations stays when another one gets a message, unless that orders it', async () => {
    const conversations = [];
    for (const text of ['One', 'Two', 'Three']) {
      conversations.push((await createConversation(app.database.pool, app.viewer, [text])).conversation);
    }
    const ofOrder = (field: string) =>
      `{ conversations(first: 1, orderBy: { field: ${field}, direction: DESC }) { nodes { id } } }`;
    const lists = ['CREATED_AT', 'LAST_MESSAGE_AT'].map(ofOrder);
    for (const each of lists) await ask(each);
    const conversationId = encodeGlobalId('Conversation', conversations[0]!.id);
    await change(`sendMessage(input: { conversationId: "${conversationId}", content: "Now?" }) { message { id } }`);
    const kept = await Promise.all(lists.map(ask));
    expect(kept.map(({ isKept }) => isKept)).toEqual([true, false]);
    expect(kept[1]!.data.conversations.nodes).toEqual([{ id: conversationId }]);
  });
});

describe('lists under writes', () => {
  const orders = [
    '',
    `${byName},`,
    'orderBy: { field: UPDATED_AT, direction: DESC },',
    'orderBy: { field: COMPLEXITY_POINTS, direction: ASC },',
  ];
  const filters = [
    '',
    'filter: { status: DONE },',
    'filter: { statusIn: [PLANNED, DONE] },',
    'filter: { nameContains: "name 1" },',
  ];
  const pages = ['first: 3', 'last: 3', 'first: 40'];
  const fields = [
    'totalCount',
    'nodes { name status complexityPoints updatedAt }',
    'pageInfo { hasNextPage endCursor }',
  ];
  const lists = orders.flatMap((order) =>
    filters.flatMap((filter) =>
      pages.flatMap((page) => fields.map((field) => `{ features(${order} ${filter} ${page}) { ${field} } }`)),
    ),
  );
  const random = createRandom('lists under writes');
  const statuses = ['PLANNED', 'IN_PROGRESS', 'DONE'] as const;
  const someFields = () =>
    [
      `name: "name ${random.integer(1, 20)}"`,
      `status: ${random.pick(statuses)}`,
      `complexityPoints: ${random.integer(0, 9)}`,
      `description: "${random.integer(1, 9)}"`,
    ].filter(() => random.chance(0.4));

  /** A feature comes, goes or changes. */
  const writeSomething = async (ids: string[]) => {
    const chance = random.next();
    if (chance < 0.15) {
      const { createFeature } = await change('createFeature(input: { name: "name 10" }) { feature { id } }');
      ids.push(createFeature.feature.id);
    } else if (chance < 0.25 && ids.length > 4) {
      await remove(ids.splice(random.integer(0, ids.length - 1), 1)[0]!);
    } else {
      await update(random.pick(ids), someFields().join(', ') || 'name: "name 3"');
    }
  };

  test('are at each moment as they are without a cache', async () => {
    const ids = await createAll(Array.from({ length: 8 }, (_, number) => `name ${number}`));
    const rounds = 20;
    let kept = 0;
    for (let round = 0; round < rounds; round += 1) {
      await writeSomething(ids);
      for (const list of lists) {
        const { data, isKept } = await ask(list);
        if (isKept) kept += 1;
        expect(data, `${list} in round ${round}`).toEqual(await askFresh(list));
      }
    }
    // Some stay at each write, or nothing was tried.
    expect(kept / (rounds * lists.length)).toBeGreaterThan(0.1);
  });
});
