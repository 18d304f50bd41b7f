import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../db/id.ts';
import { createFullOrganization, fullRange } from '../testing/full-organization.ts';
import { type Harvest, harvest, valuesOf } from '../testing/harvest.ts';
import { createModelFolder, type ModelFolder } from '../testing/model-versions.ts';
import { listOperations, printWithVariables, type Slot } from '../testing/schema-walk.ts';
import { isFreeText } from '../testing/slot-values.ts';
import { digestTables } from '../testing/table-digest.ts';
import { type Answer, createTestApp, type TestApp, unlimitedCost } from '../testing/test-app.ts';
import { encodeGlobalId } from './global-id.ts';
import { schema } from './index.ts';

/** Inputs that are wrong as a whole, and inputs that look wrong and are not; single values are in bad-input.test.ts. */
let app: TestApp;
let models: ModelFolder;
let found: Harvest;

beforeAll(async () => {
  models = await createModelFolder({ 'energy-forecast': ['2'] });
  app = await createTestApp({
    modelsDirectory: models.directory,
    settings: unlimitedCost,
    wrapDependencies: (given) => ({ ...given, predictions: { record() {} } }),
  });
  app.viewer = await createFullOrganization(app.database.pool, { word: 'plainword', level: 100, count: 2 });
  found = await harvest(app, schema, app.viewer, 'plainword');
});

afterAll(async () => {
  await app.close();
  await models[Symbol.asyncDispose]();
});

const idOf = (type: string) => [...found.ids.get(type)!][0]!;
const cursorOf = (type: string) => [...found.cursors.get(`${type}Edge`)!][0]!;
const refusal = (path: string) => ({
  code: 'BAD_USER_INPUT',
  requestId: expect.any(String),
  issues: [{ path, message: expect.stringMatching(/./) }],
});

/** Asks for what must be refused, and changes nothing. */
async function askInVain(document: string, variables: Record<string, unknown> = {}): Promise<Answer> {
  const before = await digestTables(app.database.pool, app.viewer.organizationId);
  const answer = await app.query(document, variables, app.viewer);
  expect(await digestTables(app.database.pool, app.viewer.organizationId)).toEqual(before);
  return answer;
}

async function expectRefused(path: string, document: string, variables: Record<string, unknown> = {}): Promise<void> {
  const answer = await askInVain(document, variables);
  expect(answer.errors?.[0]?.extensions).toEqual(refusal(path));
}

const mutate = (field: string) => {
  const type = `${field[0]!.toUpperCase()}${field.slice(1)}Input!`;
  return `mutation ($input: ${type}) { ${field}(input: $input) { __typename } }`;
};

describe('ranges', () => {
  const range = (from: string, to: string) => ({ range: { from, to } });
  const analytics = (field: string) => `query ($range: TimeRange!) { analytics(range: $range) { ${field} { at } } }`;

  test.each([
    ['ends before it starts', fullRange.to, fullRange.from],
    ['ends when it starts', fullRange.from, fullRange.from],
    ['ends when it starts, in another zone', '2024-10-25T00:00:00Z', '2024-10-25T02:00:00+02:00'],
  ])('refuses one that %s', async (_label, from, to) => {
    const site = `site(id: "${idOf('Site')}")`;
    await expectRefused('range', analytics('featureThroughput(interval: DAY)'), range(from, to));
    await expectRefused(
      'range',
      `query ($range: TimeRange!) { ${site} { readings(range: $range) { totalCount } } }`,
      range(from, to),
    );
    for (const list of ['features', 'conversations', 'predictions']) {
      const document = `{ ${list}(filter: { createdAt: { from: "${from}", to: "${to}" } }) { totalCount } }`;
      await expectRefused('filter.createdAt', document);
    }
  });

  test.each([
    ['HOUR', '2024-01-01T00:00:00Z', '2025-12-31T00:00:00Z'],
    ['DAY', '1990-01-01T00:00:00Z', '2024-01-01T00:00:00Z'],
    ['WEEK', '1000-01-01T00:00:00Z', '2024-01-01T00:00:00Z'],
    ['MONTH', '0001-01-01T00:00:00Z', '9999-01-01T00:00:00Z'],
  ])('refuses too many buckets of an %s', async (interval, from, to) => {
    const site = `siteId: "${idOf('Site')}"`;
    const fields = ['featureThroughput', 'deployments', 'conversationVolume', 'sentimentTrend'];
    const all = [
      ...fields.map((field) => `${field}(interval: ${interval})`),
      `energyDemand(interval: ${interval}, ${site})`,
    ];
    for (const field of all) await expectRefused('interval', analytics(field), range(from, to));
  });

  test('refuses a forecast from beyond the readings', async () => {
    const document = 'query ($id: ID!, $from: DateTime) { forecast(siteId: $id, from: $from) { issuedAt } }';
    await expectRefused('from', document, { id: idOf('Site'), from: '2024-12-01T00:00:00Z' });
  });
});

describe('pages', () => {
  test('refuses first and last together', async () => {
    await expectRefused('last', '{ features(first: 1, last: 1) { totalCount } }');
    await expectRefused('last', '{ features(first: 1) { nodes { testCases(first: 1, last: 1) { totalCount } } } }');
  });

  test('refuses a cursor of another list or order', async () => {
    const byName = '{ features(orderBy: { field: NAME, direction: ASC }) { edges { cursor } } }';
    const { data } = await app.query(byName, {}, app.viewer);
    await expectRefused('after', `{ features(after: "${data.features.edges[0].cursor}") { totalCount } }`);
    await expectRefused('before', `{ documents(before: "${cursorOf('Feature')}") { totalCount } }`);
  });

  test('takes a cursor apart from filters, and a page of none', async () => {
    const document = `{ features(first: 0, after: "${cursorOf('Feature')}", filter: { status: PLANNED }) { totalCount nodes { id } } }`;
    expect((await app.query(document, {}, app.viewer)).data.features).toEqual({ totalCount: 0, nodes: [] });
  });
});

describe('lists', () => {
  const reading = (hour: number) => ({ at: new Date(Date.UTC(2023, 0, 1, hour)).toISOString(), loadMw: 1 });
  const many = <Item>(count: number, item: (index: number) => Item) =>
    Array.from({ length: count }, (_, index) => item(index));
  const nobody = () => encodeGlobalId('TestCase', newId());

  test.each([
    ['createFeatures', 'features', () => ({}), () => ({ name: 'x' }), 1001],
    ['addTestCases', 'testCases', () => ({ featureId: idOf('Feature') }), () => ({ name: 'x' }), 1001],
    ['recordTestResults', 'results', () => ({}), () => ({ testCaseId: nobody(), status: 'PASSED' }), 1001],
    [
      'importMessages',
      'messages',
      () => ({ conversationId: idOf('Conversation') }),
      () => ({ content: 'x', role: 'USER' }),
      1001,
    ],
    ['ingestReadings', 'readings', () => ({ siteId: idOf('Site') }), reading, 10_001],
  ])('%s refuses an empty list, one too long, and names a wrong item', async (field, list, rest, item, tooMany) => {
    await expectRefused(`input.${list}`, mutate(field), { input: { ...rest(), [list]: [] } });
    await expectRefused(`input.${list}`, mutate(field), { input: { ...rest(), [list]: many<object>(tooMany, item) } });
    const answer = await askInVain(mutate(field), { input: { ...rest(), [list]: [item(0), item(1), {}] } });
    const { code, issues } = answer.errors![0]!.extensions as { code: string; issues: { path: string }[] };
    expect(code).toBe('BAD_USER_INPUT');
    expect(issues[0]!.path).toMatch(new RegExp(`^input\\.${list}\\.2`));
  });

  test('refuses what stands twice in a bulk input', async () => {
    const result = { testCaseId: idOf('TestCase'), status: 'PASSED' };
    await expectRefused('input.results.1.testCaseId', mutate('recordTestResults'), {
      input: { results: [result, result] },
    });
    const same = { ...reading(0), at: '2023-01-01T02:00:00+02:00' };
    await expectRefused('input.readings.1.at', mutate('ingestReadings'), {
      input: { siteId: idOf('Site'), readings: [reading(0), same] },
    });
  });

  test('takes an id twice in nodes, and refuses more than 100', async () => {
    const document = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
    const id = idOf('Feature');
    expect((await app.query(document, { ids: [id, id] }, app.viewer)).data).toEqual({ nodes: [{ id }, { id }] });
    await expectRefused('ids', document, { ids: many(101, () => id) });
  });
});

describe('the shape of inputs', () => {
  test.each([
    ['a missing field', { name: undefined }, 'input.name'],
    ['a null where none may be', { name: null }, 'input.name'],
    ['an unknown field', { name: 'x', nope: 1 }, 'input.nope'],
    ['__proto__ as a field', JSON.parse('{ "name": "x", "__proto__": { "status": "DONE" } }'), 'input.__proto__'],
    ['a list for a text', { name: ['x'] }, 'input.name'],
    ['an object for a text', { name: { toString: 'x' } }, 'input.name'],
  ])('refuses %s', async (_label, input, path) => {
    const answer = await askInVain(mutate('createFeature'), { input });
    expect(answer.errors?.[0]?.extensions, JSON.stringify(answer.errors)).toEqual(refusal(path));
  });

  test.each([
    ['null', null],
    ['a text', 'x'],
    ['a list of two', [{ name: 'a' }, { name: 'b' }]],
  ])('refuses %s for a whole input', async (_label, input) => {
    const answer = await askInVain(mutate('createFeature'), { input });
    const { code, issues } = answer.errors![0]!.extensions as { code: string; issues: { path: string }[] };
    expect(code).toBe('BAD_USER_INPUT');
    expect(issues[0]!.path).toMatch(/^input/);
  });

  test('refuses numbers without end', async () => {
    const at = '2023-01-01T00:00:00Z';
    const document = `mutation { ingestReadings(input: { siteId: "${idOf('Site')}", readings: [{ at: "${at}", loadMw: 1e999 }] }) { inserted } }`;
    await expectRefused('input.readings.0.loadMw', document);
  });

  test('takes null for whatever is optional as if it was left out', async () => {
    const own = valuesOf(schema, found, 'plainword');
    for (const operation of listOperations(schema)) {
      if (operation.field.name === 'deleteFeature') continue;
      const nullable = (slot: Slot) => !String(slot.declared).endsWith('!');
      const fill = { includes: () => true, value: (slot: Slot) => (nullable(slot) ? null : own(slot)) };
      const { document, variables } = printWithVariables(schema, operation, fill);
      const answer = await app.query(document, variables, app.viewer);
      const codes =
        answer.errors?.filter(({ path }) => path?.at(-1) !== 'forecast').map(({ message }) => message) ?? [];
      const nothing =
        operation.field.name === 'updateFeature' ? ['input: expected at least one change beside the id'] : [];
      expect(codes, operation.label).toEqual(nothing);
    }
  });
});

describe('text of any language', () => {
  const texts = [
    '👩‍👩‍👧‍👦 family',
    'שלום עולם',
    'مرحبا \u202eabc\u202c',
    'e\u0301 \u1100\u1161\u11a8',
    '𝒳 \u{1f1e9}\u{1f1ea} ﷽',
    '\ufeffBOM \u00a0nbsp end',
  ];

  test.each(texts)('comes back as it was sent: %s', async (text) => {
    const own = valuesOf(schema, found, 'plainword');
    for (const operation of listOperations(schema).filter(({ kind }) => kind === 'mutation')) {
      let given = 0;
      const value = (slot: Slot) => {
        if (!isFreeText(slot)) return own(slot);
        given += 1;
        return text.trim();
      };
      const { document, variables } = printWithVariables(schema, operation, {
        includes: (name) => !/:\)$|[.]expectedUpdatedAt$/.test(name),
        value,
      });
      // A new site has nothing to forecast from, which its whole payload is null for.
      if (given === 0 || operation.field.name === 'createSite') continue;
      const answer = await app.query(document, variables, app.viewer);
      expect(answer.data, JSON.stringify(answer.errors)).not.toBeNull();
      expect(JSON.stringify(answer.data), operation.label).toContain(JSON.stringify(text.trim()).slice(1, -1));
    }
    const site = { name: text.trim(), timeZone: 'Europe/Berlin' };
    const created = await app.query(
      'mutation ($input: CreateSiteInput!) { createSite(input: $input) { site { name } } }',
      { input: site },
      app.viewer,
    );
    expect(created.data.createSite.site).toEqual({ name: text.trim() });
    const search = await app.query(
      'query ($text: String!) { searchDocuments(query: $text) { document { title } } }',
      { text },
      app.viewer,
    );
    expect(search.errors).toBeUndefined();
  });
});
