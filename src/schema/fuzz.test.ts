import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../config.ts';
import type { Viewer } from '../context.ts';
import { createFullOrganization, hideFeatures } from '../testing/full-organization.ts';
import { listCoordinates } from '../testing/fuzz/coverage.ts';
import { describeFailure, type FuzzFailure, type FuzzReport, runFuzz } from '../testing/fuzz/run-fuzz.ts';
import { type Harvest, harvest } from '../testing/harvest.ts';
import { createModelFolder, type ModelFolder } from '../testing/model-versions.ts';
import { createFeatures, createUser } from '../testing/seed-builders.ts';
import { digestTables, listUuids } from '../testing/table-digest.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { encodeGlobalId } from './global-id.ts';
import { schema } from './index.ts';

/**
 * Random operations made from the schema, with values that fit and values that do not. Other runs:
 * FUZZ_SEED=7 FUZZ_OPERATIONS=100000 npm test -- src/schema/fuzz.test.ts
 * FUZZ_SEED=7 FUZZ_ONLY=1234 npm test -- src/schema/fuzz.test.ts   (that operation alone, on fresh rows)
 */
const seed = Number(process.env.FUZZ_SEED ?? 1);
const count = Number(process.env.FUZZ_OPERATIONS ?? 10_000);
const only = process.env.FUZZ_ONLY === undefined ? null : Number(process.env.FUZZ_ONLY);
const foreignWord = 'quokkasecret';
const foreignLevel = 700_000;

const { limits } = readConfig({ NODE_ENV: 'test' });

let app: TestApp;
let models: ModelFolder;
let foreign: Viewer;
let foreignDigest: unknown;
/** What the foreign organization shows to everybody. */
let shown: string;
let report: FuzzReport;

beforeAll(
  async () => {
    // Two versions, so that one can stand in another's shadow.
    models = await createModelFolder({ 'energy-forecast': ['2'] });
    app = await createTestApp({
      modelsDirectory: models.directory,
      settings: { limits, rateLimits: { viewer: null, address: null } },
    });
    foreign = await createFullOrganization(app.database.pool, { word: foreignWord, level: foreignLevel, count: 3 });
    const foreignHarvest = await harvestWithoutLimit(foreign, foreignWord);
    // What inference was asked for is kept, too, a moment later.
    await app.predictions.flush();
    await hideFeatures(app.database.pool, foreign);
    const uuids = await listUuids(app.database.pool, foreign.organizationId);
    shown = await showFeature(foreignHarvest);
    foreignDigest = await digestTables(app.database.pool, foreign.organizationId);
    const numbers = only === null ? Array.from({ length: count }, (_, number) => number) : [only];
    const startMs = performance.now();
    report = await runFuzz(app, schema, {
      seed,
      numbers,
      foreign: foreignHarvest,
      foreignWord,
      forbidden: { texts: [foreignWord, ...uuids] },
      harvest: harvestWithoutLimit,
    });
    console.info(summarize(report, performance.now() - startMs));
  },
  Math.max(300_000, count * 60),
);

afterAll(async () => {
  await app.close();
  await models[Symbol.asyncDispose]();
});

/** One feature of the foreign organization that anybody may see: its id is among those that are tried. */
async function showFeature({ ids }: Harvest): Promise<string> {
  const ownerId = await createUser(app.database.pool, foreign.organizationId, `Ada ${foreignWord}`);
  const [feature] = await createFeatures(app.database.pool, foreign, [{ name: 'Shown', ownerId, isPublic: true }]);
  const id = encodeGlobalId('PublicFeature', feature!.id);
  ids.get('PublicFeature')!.add(id);
  return id;
}

/** Asks for whole pages of everything, which costs more than a client may. */
async function harvestWithoutLimit(viewer: Viewer, word: string): Promise<Harvest> {
  const { max } = limits.cost;
  limits.cost.max = Number.POSITIVE_INFINITY;
  try {
    return await harvest(app, schema, viewer, word);
  } finally {
    limits.cost.max = max;
  }
}

function summarize({ operations, mutations, clean, operationsByCode, slowest, failures }: FuzzReport, tookMs: number) {
  const codes = [...operationsByCode].sort(([, a], [, b]) => b - a).map(([code, times]) => `${code} ${times}`);
  return [
    `fuzz: FUZZ_SEED=${seed}, ${operations} operations, ${mutations} of them mutations, in ${Math.round(tookMs / 1000)} s`,
    `  ${clean} answered data without errors, slowest ${Math.round(slowest.durationMs)} ms (FUZZ_ONLY=${slowest.number}), ${failures.length} failures${kindsOf(failures)}`,
    `  operations by code: ${codes.join(', ')}`,
  ].join('\n');
}

function kindOf({ faults }: FuzzFailure): string {
  return faults[0]!.split(':')[0]!;
}

function kindsOf(failures: FuzzReport['failures']): string {
  const kinds = Map.groupBy(failures, kindOf);
  return kinds.size === 0 ? '' : ` (${[...kinds].map(([kind, { length }]) => `${length} ${kind}`).join(', ')})`;
}

/** The first ones of every kind. */
function examplesOf(failures: FuzzReport['failures']): FuzzFailure[] {
  return [...Map.groupBy(failures, kindOf).values()].flatMap((ofKind) => ofKind.slice(0, 3));
}

describe('random operations', () => {
  test('are all answered as the contract says', () => {
    const described = examplesOf(report.failures).map((failure) => describeFailure(seed, failure));
    expect(described, described.join('\n\n')).toEqual([]);
  });

  test('change nothing of another organization', async () => {
    expect(await digestTables(app.database.pool, foreign.organizationId)).toEqual(foreignDigest);
  });

  test('leave what another organization shows to be seen', async () => {
    const organizationId = encodeGlobalId('Organization', foreign.organizationId);
    const document = `{ publicFeature(organizationId: "${organizationId}", id: "${shown}") { name } }`;
    expect((await app.query(document, {}, null)).data).toEqual({ publicFeature: { name: 'Shown' } });
  });

  test('leave a server that answers right', async () => {
    const viewer = await createFullOrganization(app.database.pool, { word: 'afterwards', level: 100, count: 2 });
    const document =
      '{ features(orderBy: { field: NAME, direction: ASC }) { totalCount nodes { name owner { name } } } }';
    const answer = await app.query(document, {}, viewer);
    expect(answer.errors).toBeUndefined();
    const owner = { name: 'Ada afterwards' };
    const nodes = ['Feature afterwards 0', 'Feature afterwards 1'].map((name) => ({ name, owner }));
    expect(answer.data).toEqual({ features: { totalCount: 2, nodes } });
  });
});

describe.skipIf(only !== null)('their mix', () => {
  test('has every field, argument and input field of the schema', () => {
    const left = listCoordinates(schema).filter((coordinate) => !report.covered.has(coordinate));
    expect(left, 'never in an operation that was answered without errors').toEqual([]);
  });

  test('is answered with data and no error a third of the time at least', () => {
    expect(report.clean / report.operations).toBeGreaterThan(1 / 3);
  });

  test('is rarely too much for the limits', () => {
    expect((report.operationsByCode.get('QUERY_TOO_COMPLEX') ?? 0) / report.operations).toBeLessThan(0.05);
  });
});
