import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { scopes, type Viewer } from '../../../context.ts';
import { newId } from '../../../db/id.ts';
import { createModelFolder, type ModelFolder } from '../../../testing/model-versions.ts';
import { createOrganization, createUser } from '../../../testing/seed-builders.ts';
import { type Answer, countStatements, createTestApp, type TestApp } from '../../../testing/test-app.ts';
import { Rollouts } from '../rollouts.ts';

let app: TestApp;
let models: ModelFolder;
let viewer: Viewer;

beforeAll(async () => {
  models = await createModelFolder({ sentiment: ['2', '3'] });
  app = await createTestApp({ modelsDirectory: models.directory });
});

beforeEach(async () => {
  viewer = await createOrganization(app.database.pool);
});

afterAll(async () => {
  await app.close();
  await models[Symbol.asyncDispose]();
});

const fields = `name versions { version rolloutWeight } rollout {
  weights { version weight } baselineVersion shadowVersion shadowShare returnedReason updatedAt
  guard { maxErrorRate maxLatencyRatio minCalls }
}`;
const mutation = `mutation ($input: SetModelRolloutInput!) { setModelRollout(input: $input) { model { ${fields} } } }`;

function set(input: object, as = viewer): Promise<Answer> {
  return app.query(mutation, { input: { model: 'sentiment', ...input } }, as);
}

function toWeights(weights: Record<string, number>) {
  return Object.entries(weights).map(([version, weight]) => ({ version, weight }));
}

async function findModel(as = viewer) {
  return (await app.query(`{ model(name: "sentiment") { ${fields} } }`, {}, as)).data.model;
}

/** The version that answers a viewer. */
async function versionFor(as: Viewer): Promise<string> {
  const document = '{ sentiment(text: "fine") { modelVersion { version } } }';
  return (await app.query(document, {}, as)).data.sentiment.modelVersion.version;
}

async function createColleagues(count: number): Promise<Viewer[]> {
  const colleagues: Viewer[] = [];
  while (colleagues.length < count) {
    colleagues.push({ ...viewer, userId: await createUser(app.database.pool, viewer.organizationId) });
  }
  return colleagues;
}

describe('setModelRollout', () => {
  test('shares the viewers out, and is there at once', async () => {
    const weights = { '1': 0.5, '2': 0.5 };
    const answer = await set({ weights: toWeights(weights) });
    expect(answer.errors).toBeUndefined();
    const { model } = answer.data.setModelRollout;
    expect(model).toMatchObject({
      name: 'sentiment',
      versions: [
        { version: '1', rolloutWeight: 0.5 },
        { version: '2', rolloutWeight: 0.5 },
        { version: '3', rolloutWeight: 0 },
      ],
      rollout: {
        weights: toWeights(weights),
        baselineVersion: '3',
        shadowVersion: null,
        returnedReason: null,
        guard: { maxErrorRate: 0.05, maxLatencyRatio: 2, minCalls: 20 },
      },
    });
    expect(await findModel()).toEqual(model);
  });

  test('sends each viewer to one version, and the others to the other', async () => {
    await set({ weights: toWeights({ '1': 0.5, '2': 0.5 }) });
    const colleagues = await createColleagues(24);
    const versions = await Promise.all(colleagues.map(versionFor));
    expect(new Set(versions)).toEqual(new Set(['1', '2']));
    expect(await Promise.all(colleagues.map(versionFor))).toEqual(versions);
    await set({ weights: toWeights({ '1': 0.2, '2': 0.8 }) });
    const after = await Promise.all(colleagues.map(versionFor));
    const moves = after.filter((version, index) => version !== versions[index]);
    expect([...new Set(moves)]).not.toContain('1');
    await set({ weights: toWeights({ '1': 1 }) });
    expect(new Set(await Promise.all(colleagues.map(versionFor)))).toEqual(new Set(['1']));
  });

  test('holds for the rest of the operation that sets it', async () => {
    const start = 'mutation { startConversation(input: { title: "Help" }) { conversation { id } } }';
    const conversationId = (await app.query(start, {}, viewer)).data.startConversation.conversation.id;
    const say = (
      content: string,
    ) => `sendMessage(input: { conversationId: "${conversationId}", content: "${content}" }) {
      message { sentiment { modelVersion { version } } }
    }`;
    const document = `mutation ($a: SetModelRolloutInput!, $b: SetModelRolloutInput!) {
      a: setModelRollout(input: $a) { model { name } } first: ${say('It works.')}
      b: setModelRollout(input: $b) { model { name } } second: ${say('It does not.')}
    }`;
    const of = (version: string) => ({ model: 'sentiment', weights: toWeights({ [version]: 1 }) });
    const { data, errors } = await app.query(document, { a: of('1'), b: of('2') }, viewer);
    expect(errors).toBeUndefined();
    expect(data.first.message.sentiment.modelVersion).toEqual({ version: '1' });
    expect(data.second.message.sentiment.modelVersion).toEqual({ version: '2' });
  });

  test('is of one organization', async () => {
    const other = await createOrganization(app.database.pool);
    await set({ weights: toWeights({ '1': 1 }) });
    expect(await versionFor(viewer)).toBe('1');
    expect(await versionFor(other)).toBe('3');
    expect((await findModel(other)).rollout).toBeNull();
    expect((await findModel(other)).versions.map((entry: { rolloutWeight: number }) => entry.rolloutWeight)).toEqual([
      0, 0, 1,
    ]);
    await set({ weights: toWeights({ '2': 1 }) }, other);
    expect(await versionFor(viewer)).toBe('1');
    expect((await findModel()).rollout.weights).toEqual(toWeights({ '1': 1 }));
  });

  test('is in the database when it is answered, for another process to read', async () => {
    await set({
      weights: toWeights({ '1': 0.9, '2': 0.1 }),
      shadow: { version: '3', share: 0.25 },
      guard: { maxErrorRate: 0.2, minCalls: 50 },
    });
    const process = new Rollouts({ database: app.database.pool, inference: app.inference });
    await process.refresh();
    expect(process.find(viewer.organizationId, 'sentiment')).toEqual(
      app.rollouts.find(viewer.organizationId, 'sentiment'),
    );
    expect(process.find(viewer.organizationId, 'sentiment')).toMatchObject({
      weights: { '1': 0.9, '2': 0.1 },
      shadowVersion: '3',
      shadowShare: 0.25,
      maxErrorRate: 0.2,
      maxLatencyRatio: 2,
      minCalls: 50,
      updatedById: viewer.userId,
    });
  });

  test('is one statement, and a key makes it once', async () => {
    expect(await countStatements(app, () => set({ weights: toWeights({ '1': 1 }) }))).toEqual(['upsertModelRollout']);
    const input = { weights: toWeights({ '2': 1 }), idempotencyKey: newId() };
    const first = await set(input);
    expect(first.data.setModelRollout.model.rollout).toMatchObject({
      weights: toWeights({ '2': 1 }),
      baselineVersion: '1',
    });
    await set({ weights: toWeights({ '3': 1 }) });
    const again = await set(input);
    expect(again.data.setModelRollout.model.rollout).toMatchObject({
      weights: toWeights({ '3': 1 }),
      baselineVersion: '2',
    });
    const conflicting = await set({ ...input, weights: toWeights({ '1': 1 }) });
    expect(conflicting.errors?.[0]?.extensions.code).toBe('CONFLICT');
  });

  test('set to the same weights again keeps its baseline: a retry does not end the trial', async () => {
    await set({ weights: toWeights({ '1': 1 }) });
    await set({ weights: toWeights({ '2': 1 }) });
    const { data } = await set({ weights: toWeights({ '2': 1 }) });
    expect(data.setModelRollout.model.rollout).toMatchObject({ baselineVersion: '1' });
  });

  test('needs the scope admin', async () => {
    const given = { ...viewer, scopes: scopes.filter((scope) => scope !== 'admin') };
    const { errors } = await set({ weights: toWeights({ '1': 1 }) }, given);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', requiredScope: 'admin' });
    expect((await findModel()).rollout).toBeNull();
  });
});

describe('what cannot be served is refused', () => {
  const one = toWeights({ '1': 1 });
  const loaded = 'expected a loaded version: 1, 2, 3';
  test.each<[string, object, string, string]>([
    [
      'an unknown model',
      { model: 'nope', weights: one },
      'model',
      'expected a loaded model: embedding, energy-forecast, sentiment',
    ],
    [
      'a model of vectors',
      { model: 'embedding', weights: one },
      'model',
      'expected a model that is not for EMBEDDING: its newest version makes the vectors of all viewers',
    ],
    ['no weights', { weights: [] }, 'weights', 'expected 1 to 100 items, got 0'],
    ['an unknown version', { weights: toWeights({ '9': 1 }) }, 'weights.0.version', loaded],
    ['a version twice', { weights: [...one, ...one] }, 'weights.1.version', 'expected each version once'],
    ['a weight below 0', { weights: toWeights({ '1': 1.5, '2': -0.5 }) }, 'weights.0.weight', 'expected 0 to 1'],
    [
      'too little',
      { weights: toWeights({ '1': 0.5, '2': 0.4 }) },
      'weights',
      'expected weights that add up to 1, got 0.9',
    ],
    [
      'too much',
      { weights: toWeights({ '1': 1, '2': 0.00001 }) },
      'weights',
      'expected weights that add up to 1, got 1.00001',
    ],
    ['an unknown shadow', { weights: one, shadow: { version: '9' } }, 'shadow.version', loaded],
    [
      'a shadow that answers',
      { weights: one, shadow: { version: '1' } },
      'shadow.version',
      'expected a version with weight 0: this one answers viewers itself',
    ],
    ['a share above 1', { weights: one, shadow: { version: '2', share: 1.1 } }, 'shadow.share', 'expected 0 to 1'],
    [
      'a ratio below 1',
      { weights: one, guard: { maxLatencyRatio: 0.5 } },
      'guard.maxLatencyRatio',
      'expected 1 to 1000',
    ],
    [
      'more calls than are remembered',
      { weights: one, guard: { minCalls: 201 } },
      'guard.minCalls',
      'expected 1 to 200, got 201',
    ],
  ])('%s', async (_label, input, path, message) => {
    const { data, errors } = await set(input);
    expect(data).toBeNull();
    expect(errors?.[0]?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      issues: expect.arrayContaining([{ path: `input.${path}`, message }]),
    });
    expect(app.rollouts.find(viewer.organizationId, 'sentiment')).toBeNull();
  });

  test('sums are right to a millionth', async () => {
    const weights = [0.1, 0.2, 0.7].map((weight, index) => ({ version: String(index + 1), weight }));
    expect((await set({ weights })).errors).toBeUndefined();
    expect((await set({ weights: toWeights({ '1': 0.9999995 }) })).errors).toBeUndefined();
  });
});
