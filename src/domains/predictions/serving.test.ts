import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../context.ts';
import {
  type InferenceEngine,
  InferenceError,
  type InferenceErrorKind,
  type PredictRequest,
  type RowResult,
} from '../../inference/engine.ts';
import { createCachedEngine } from '../../inference/prediction-cache.ts';
import { encodeGlobalId } from '../../schema/global-id.ts';
import { createModelFolder, type ModelFolder } from '../../testing/model-versions.ts';
import { createOrganization, createSite } from '../../testing/seed-builders.ts';
import { createTestApp, type TestApp } from '../../testing/test-app.ts';
import { scoreTexts } from './score-texts.ts';

/** What a version does instead of what it should. */
type Mood = (request: PredictRequest, run: () => Promise<readonly RowResult[]>) => Promise<readonly RowResult[]>;

let app: TestApp;
let models: ModelFolder;
let viewer: Viewer;
const moods = new Map<string, Mood>();
let requests: PredictRequest[] = [];

beforeAll(async () => {
  models = await createModelFolder({ sentiment: ['2'], 'energy-forecast': ['2'] });
  app = await createTestApp({ modelsDirectory: models.directory, wrapInference: moody });
});

beforeEach(async () => {
  moods.clear();
  await app.rollouts.shadows.settle();
  viewer = await createOrganization(app.database.pool);
  requests = [];
});

afterAll(async () => {
  await app.close();
  await models[Symbol.asyncDispose]();
});

function moody(engine: InferenceEngine): InferenceEngine {
  return createCachedEngine({
    engine: {
      versions: () => engine.versions(),
      failures: () => engine.failures(),
      pendingRows: () => engine.pendingRows(),
      close: () => engine.close(),
      predict: (request) => {
        requests.push(request);
        const run = () => engine.predict(request);
        return moods.get(`${request.model}/${request.version}`)?.(request, run) ?? run();
      },
    },
    maxBytes: 1e6,
  });
}

const refuse =
  (kind: InferenceErrorKind): Mood =>
  async () => {
    throw new InferenceError(kind, 'as the test wants it');
  };

/** Answers as if every row of floats were so many times as large. */
const times =
  (factor: number): Mood =>
  async (_request, run) => {
    const results = await run();
    for (const result of results) {
      if (result instanceof InferenceError) continue;
      for (const { data } of Object.values(result.outputs))
        (data as Float32Array).forEach((value, index) => {
          (data as Float32Array)[index] = value * factor;
        });
    }
    return results;
  };

/** Probabilities the other way round: good is bad. */
const opposite: Mood = async (_request, run) => {
  const results = await run();
  for (const result of results)
    if (!(result instanceof InferenceError)) Object.values(result.outputs)[0]!.data.reverse();
  return results;
};

async function setRollout(model: string, weights: Record<string, number>, shadow?: string): Promise<void> {
  const input = {
    model,
    weights: Object.entries(weights).map(([version, weight]) => ({ version, weight })),
    shadow: shadow === undefined ? null : { version: shadow },
  };
  const document = 'mutation ($input: SetModelRolloutInput!) { setModelRollout(input: $input) { model { name } } }';
  expect((await app.query(document, { input }, viewer)).errors).toBeUndefined();
}

function askSentiment(...texts: string[]) {
  const fields = texts.map((text, index) => `t${index}: sentiment(text: "${text}") { label modelVersion { version } }`);
  return app.query(`{ ${fields.join(' ')} }`, {}, viewer);
}

/** What was kept of the viewer's calls, the earliest first. */
async function listKept() {
  await app.rollouts.shadows.settle();
  await app.predictions.flush();
  const document = `{ predictions(last: 10) { nodes {
    modelVersion { version } batchSize cacheHits isShadow agreedRows error latencyMs
  } } }`;
  const { nodes } = (await app.query(document, {}, viewer)).data.predictions;
  return (nodes as Record<string, unknown>[]).reverse();
}

async function countPoints(version: string): Promise<unknown> {
  const text = 'select count(*)::integer as count from forecast_points where organization_id = $1 and version = $2';
  const [row] = await app.database.pool.run<{ count: number }>({ name: 'testPoints', text }, [
    viewer.organizationId,
    version,
  ]);
  return row?.count;
}

const served = { isShadow: false, agreedRows: null, error: null };

describe('what is kept of a call', () => {
  test('counts the rows from the cache', async () => {
    await askSentiment('kept once', 'kept twice');
    await askSentiment('kept twice', 'kept thrice', 'kept once');
    await askSentiment('kept once');
    expect(await listKept()).toMatchObject([
      { ...served, batchSize: 2, cacheHits: 0, modelVersion: { version: '2' } },
      { ...served, batchSize: 3, cacheHits: 2 },
      { ...served, batchSize: 1, cacheHits: 1 },
    ]);
  });

  test.each<[InferenceErrorKind, string, string | null]>([
    ['failed', 'INTERNAL', 'FAILED'],
    ['timeout', 'TIMEOUT', 'TIMEOUT'],
    ['overloaded', 'OVERLOADED', null],
    ['invalid-input', 'BAD_USER_INPUT', null],
    ['aborted', 'TIMEOUT', null],
    ['unknown-model', 'INTERNAL', null],
  ])('says that it was %s only where the version is to blame', async (kind, code, error) => {
    moods.set('sentiment/2', refuse(kind));
    const answer = await askSentiment(`refused as ${kind}`);
    expect(answer.errors?.[0]?.extensions.code).toBe(code);
    expect(await listKept()).toMatchObject(error === null ? [] : [{ error, cacheHits: 0, batchSize: 1 }]);
  });

  test('says that it failed when one row did, whatever else was answered', async () => {
    moods.set('sentiment/2', async (_request, run) => {
      const [, ...rest] = await run();
      return [new InferenceError('failed', 'this row'), ...rest];
    });
    const { data, errors } = await askSentiment('row that fails', 'row that does not');
    expect(errors?.map(({ path }) => path)).toEqual([['t0']]);
    expect(data).toBeNull();
    expect(await listKept()).toMatchObject([{ error: 'FAILED', batchSize: 2, cacheHits: 0 }]);
  });

  test('knows a request whose time was over from a client that has gone', async () => {
    const reasons = [{ extensions: { code: 'TIMEOUT' } }, new Error('gone')];
    for (const reason of reasons) {
      const end = new AbortController();
      moods.set('sentiment/2', async () => {
        end.abort(reason);
        throw new InferenceError('aborted', 'cancelled');
      });
      const context = { ...app, viewer, signal: end.signal };
      await expect(scoreTexts(context, viewer.organizationId, [`${reason}`])).rejects.toThrow('cancelled');
    }
    expect(await listKept()).toMatchObject([{ error: 'TIMEOUT' }]);
  });
});

describe('the time that is left', () => {
  const context = (remainingMs: number) => ({
    ...app,
    viewer,
    signal: new AbortController().signal,
    remainingMs: () => remainingMs,
  });

  test('is the deadline of the call; without a limit there is none', async () => {
    await scoreTexts(context(1_234), viewer.organizationId, ['limited']);
    await scoreTexts(context(Number.POSITIVE_INFINITY), viewer.organizationId, ['unlimited']);
    expect(requests.map(({ deadlineMs }) => deadlineMs)).toEqual([1_234, undefined]);
  });

  test('when it is over no version is asked, nor blamed', async () => {
    await expect(scoreTexts(context(0), viewer.organizationId, ['late'])).rejects.toThrow('no time left');
    expect(requests).toEqual([]);
    expect(await listKept()).toEqual([]);
  });
});

describe('a shadow', () => {
  const texts = ['I love this, it is wonderful!', 'This is terrible, I hate it.'];

  test('runs the same rows in the bulk lane, and is kept with how many agreed', async () => {
    await setRollout('sentiment', { '1': 1 }, '2');
    moods.set('sentiment/2', opposite);
    const { data } = await askSentiment(...texts);
    expect(data).toMatchObject({ t0: { modelVersion: { version: '1' } }, t1: { label: 'NEGATIVE' } });
    expect(await listKept()).toMatchObject([
      { ...served, batchSize: 2, modelVersion: { version: '1' } },
      { isShadow: true, batchSize: 2, agreedRows: 0, error: null, modelVersion: { version: '2' } },
    ]);
    expect(requests.map(({ version, lane }) => [version, lane])).toEqual([
      ['1', undefined],
      ['2', 'bulk'],
    ]);
    expect(requests[1]!.rows).toEqual(requests[0]!.rows);
  });

  test('agrees with a version of the same file', async () => {
    await setRollout('sentiment', { '1': 1 }, '2');
    await askSentiment('How lovely!', 'How horrible!', 'something else');
    expect((await listKept()).at(-1)).toMatchObject({ isShadow: true, batchSize: 3, agreedRows: 3 });
  });

  test('never delays or fails the answer', async () => {
    await setRollout('sentiment', { '1': 1 }, '2');
    const end = Promise.withResolvers<void>();
    moods.set('sentiment/2', async () => {
      await end.promise;
      throw new InferenceError('failed', 'in the end');
    });
    expect((await askSentiment('answered long before')).data.t0).toMatchObject({ modelVersion: { version: '1' } });
    end.resolve();
    expect(await listKept()).toMatchObject([served, { isShadow: true, error: 'FAILED', agreedRows: null }]);
  });

  test.each<InferenceErrorKind>(['overloaded', 'timeout'])(
    'is dropped and counted when the engine is %s',
    async (kind) => {
      await setRollout('sentiment', { '1': 1 }, '2');
      moods.set('sentiment/2', refuse(kind));
      const before = app.rollouts.shadows.dropped;
      expect((await askSentiment(`dropped for ${kind}`)).errors).toBeUndefined();
      expect(await listKept()).toMatchObject([served]);
      expect(app.rollouts.shadows.dropped).toBe(before + 1);
    },
  );

  test('runs for its share of the calls', async () => {
    await setRollout('sentiment', { '1': 1 }, '2');
    const rollout = app.rollouts.find(viewer.organizationId, 'sentiment')!;
    app.rollouts.apply({ ...rollout, shadowShare: 0, updatedAt: `9${rollout.updatedAt.slice(1)}` });
    await askSentiment(...texts);
    expect(await listKept()).toMatchObject([served]);
  });

  test.each([
    [1.04, 2],
    [3, 0],
  ])(
    'of forecasts whose output is %f times as large agrees on %i of 2 sites, and keeps its points',
    async (factor, agreedRows) => {
      await setRollout('energy-forecast', { '1': 1 }, '2');
      moods.set('energy-forecast/2', times(factor));
      const lastHour = new Date(Date.UTC(2026, 2, Math.ceil(factor)));
      const sites = await Promise.all([1, 2].map(() => createSite(app.database.pool, viewer, 500, lastHour)));
      const ids = sites.map(({ id }) => encodeGlobalId('Site', id));
      const document =
        'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Site { forecast(horizon: 30) { modelVersion { version } } } } }';
      const { data } = await app.query(document, { ids }, viewer);
      expect(data.nodes).toMatchObject([1, 2].map(() => ({ forecast: { modelVersion: { version: '1' } } })));
      expect(await listKept()).toMatchObject([
        { ...served, batchSize: 2 },
        { isShadow: true, batchSize: 2, agreedRows },
      ]);
      expect([await countPoints('1'), await countPoints('2')]).toEqual([60, 60]);
    },
  );
});

test('a version that fails on a viewer’s calls is given up by itself', async () => {
  await setRollout('sentiment', { '1': 1 });
  await setRollout('sentiment', { '2': 1 });
  moods.set('sentiment/2', refuse('failed'));
  const codes: unknown[] = [];
  for (let call = 0; call < 20; call++) codes.push((await askSentiment(`call ${call}`)).errors?.[0]?.extensions.code);
  expect(new Set(codes)).toEqual(new Set(['INTERNAL']));
  await expect
    .poll(() => app.rollouts.find(viewer.organizationId, 'sentiment')?.returnedReason)
    .toMatch(/version 2 failed 20/);
  expect((await askSentiment('after')).data.t0).toMatchObject({ modelVersion: { version: '1' } });
});
