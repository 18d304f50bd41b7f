import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import type { Viewer } from '../../context.ts';
import type { Database } from '../../db/database.ts';
import type { LoadedVersion } from '../../inference/engine.ts';
import type { PredictionRecord } from '../../inference/prediction-sink.ts';
import { createOrganization } from '../../testing/seed-builders.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { findModelRollout, type RolloutChange, upsertModelRollout } from './rollout-queries.ts';
import { Rollouts, type RolloutsOptions } from './rollouts.ts';
import type { ModelRollout } from './tables.ts';

const loaded = ['1', '2', '3'].map((version) => ({ name: 'sentiment', version, precision: 'FP32' })) as LoadedVersion[];
const inference = { versions: () => loaded };

let database: TestDatabase;
let viewer: Viewer;
let open: Rollouts[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject('postgres'));
});

beforeEach(async () => {
  await Promise.all(open.map((rollouts) => rollouts.close()));
  open = [];
  viewer = await createOrganization(database.pool);
});

afterAll(async () => {
  await Promise.all(open.map((rollouts) => rollouts.close()));
  await database.drop();
});

/** What a process has of the rollouts. */
function createProcess(options: Partial<RolloutsOptions> = {}): Rollouts {
  const onError = (error: unknown) => console.error(error);
  const rollouts = new Rollouts({ database: database.pool, inference, onError, ...options });
  open.push(rollouts);
  return rollouts;
}

function set(weights: Record<string, number>, change: Partial<RolloutChange> = {}, of = loaded): Promise<ModelRollout> {
  const { organizationId, userId: updatedById } = viewer;
  const shadow = { shadowVersion: null, shadowShare: 0 };
  const guard = { maxErrorRate: 0.05, maxLatencyRatio: 2, minCalls: 20 };
  const row = { organizationId, model: 'sentiment', weights, ...shadow, ...guard, updatedById, ...change };
  return upsertModelRollout(database.pool, row, of);
}

function find(rollouts: Rollouts): ModelRollout | null {
  return rollouts.find(viewer.organizationId, 'sentiment');
}

const asStored = () => findModelRollout(database.pool, viewer.organizationId, 'sentiment');

/** A process was told of calls of a version. */
function observe(rollouts: Rollouts, version: string, count: number, call: Partial<PredictionRecord> = {}): void {
  const { organizationId } = viewer;
  const ended = { latencyMs: 5, batchSize: 1, cacheHits: 0, error: null, shadowOf: null, agreedRows: null };
  for (let index = 0; index < count; index++) {
    rollouts.observe({ organizationId, model: 'sentiment', version, precision: 'FP32', ...ended, ...call });
  }
}

describe('the baseline', () => {
  test('is the newest version at first, then the one with the largest weight before', async () => {
    expect(await set({ '1': 0.9, '2': 0.1 })).toMatchObject({ baselineVersion: '3', weights: { '1': 0.9, '2': 0.1 } });
    expect(await set({ '1': 0.5, '2': 0.5 })).toMatchObject({ baselineVersion: '1' });
    expect(await set({ '2': 1 })).toMatchObject({ baselineVersion: '1' });
    expect(await set({ '2': 0.9, '3': 0.1 })).toMatchObject({ baselineVersion: '2' });
  });

  test('is one that is loaded', async () => {
    await set({ '1': 0.9, '2': 0.1 });
    expect(await set({ '2': 1 }, {}, loaded.slice(1))).toMatchObject({ baselineVersion: '2' });
    await set({ '1': 1 });
    expect(await set({ '3': 1 }, {}, loaded.slice(2))).toMatchObject({ baselineVersion: '3' });
  });
});

describe('two processes', () => {
  test('see what the other one set at their next look, within half a second each', async () => {
    const [first, second] = [createProcess(), createProcess()];
    await Promise.all([first.start(), second.start()]);
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const third = createProcess();
    await third.start();
    expect(timers.mock.calls.map(([, ms]) => ms)).toContain(500);
    timers.mockRestore();
    const rollout = await set({ '1': 0.5, '2': 0.5 });
    first.apply(rollout);
    expect(find(first)).toEqual(rollout);
    await second.refresh();
    expect(find(second)).toEqual(rollout);
  });

  test('keep looking by themselves, one statement each time', async () => {
    const process = createProcess({ pollMs: 1 });
    await process.start();
    database.takeStatements();
    await vi.waitFor(() => expect(database.takeStatements().length).toBeGreaterThan(0));
    const rollout = await set({ '2': 1 });
    await vi.waitFor(() => expect(find(process)).toEqual(rollout));
    await process.close();
    expect(new Set(database.takeStatements().map(({ name }) => name))).toEqual(
      new Set(['listChangedRollouts', 'upsertModelRollout']),
    );
    await set({ '3': 1 });
    expect(find(process)).toEqual(rollout);
  });

  test('do not take an earlier state for a later one', async () => {
    const process = createProcess();
    const before = await set({ '1': 1 });
    const after = await set({ '2': 1 });
    process.apply(after);
    process.apply(before);
    expect(find(process)).toEqual(after);
  });

  test('see a change that was committed later than another one with a later time', async () => {
    const process = createProcess();
    const other = await createOrganization(database.pool);
    const pool = database.pool;
    await pool.transaction(async (slow) => {
      await upsertModelRollout(slow, { ...(await set({ '1': 1 })), organizationId: other.organizationId }, loaded);
      await set({ '2': 1 });
      await process.refresh();
      expect(process.find(other.organizationId, 'sentiment')).toBeNull();
    });
    await process.refresh();
    expect(process.find(other.organizationId, 'sentiment')).toMatchObject({ weights: { '1': 1 } });
  });

  test('keep what they know while the database fails, and say so once', async () => {
    let isBroken = false;
    let looks = 0;
    const moody: Database = {
      ...database.pool,
      run: async (statement, values) => {
        looks += 1;
        if (isBroken) throw new Error('down');
        return database.pool.run(statement, values);
      },
    };
    const errors: unknown[] = [];
    const process = createProcess({ database: moody, pollMs: 1, onError: (error) => errors.push(error) });
    const rollout = await set({ '2': 1 });
    await process.start();
    isBroken = true;
    const before = looks;
    await vi.waitFor(() => expect(looks).toBeGreaterThan(before + 5));
    expect(errors).toHaveLength(1);
    expect(find(process)).toEqual(rollout);
    isBroken = false;
    const changed = await set({ '1': 1 });
    await vi.waitFor(() => expect(find(process)).toEqual(changed));
    isBroken = true;
    await vi.waitFor(() => expect(errors).toHaveLength(2));
  });
});

describe('a version on trial', () => {
  const failed = { error: 'FAILED' } as const;

  async function startTrial(options: Partial<RolloutsOptions> = {}): Promise<Rollouts> {
    await set({ '1': 1 });
    const process = createProcess(options);
    process.apply(await set({ '1': 0.5, '2': 0.5 }));
    expect(find(process)?.baselineVersion).toBe('1');
    return process;
  }

  test('that fails gives all viewers back, for good and for every process', async () => {
    const returns: ModelRollout[] = [];
    const process = await startTrial({ onReturn: (rollout) => returns.push(rollout) });
    observe(process, '1', 50);
    observe(process, '2', 19, failed);
    await process.close();
    expect(returns).toEqual([]);
    observe(process, '2', 1, failed);
    await process.close();
    const reason = 'version 2 failed 20 of its last 20 calls, version 1 0 of 50';
    expect(await asStored()).toMatchObject({ weights: { '1': 1 }, returnedReason: reason, updatedById: null });
    expect(find(process)).toEqual(await asStored());
    expect(returns).toEqual([await asStored()]);
    const other = createProcess();
    await other.refresh();
    expect(find(other)).toEqual(await asStored());
  });

  test.each([
    ['calls that were not answered in time', { error: 'TIMEOUT' } as const, true],
    ['slow calls', { latencyMs: 50 }, true],
    ['slow calls from the cache', { latencyMs: 50, cacheHits: 1 }, false],
    ['calls that are not much slower', { latencyMs: 9 }, false],
    ['failures as a shadow', { error: 'FAILED', shadowOf: '1' } as const, false],
  ])('is judged by %s', async (_label, call, isReturned) => {
    const process = await startTrial();
    observe(process, '1', 20);
    observe(process, '2', 100, call);
    await process.close();
    expect((await asStored())?.returnedReason !== null).toBe(isReturned);
  });

  test('is not judged by what another organization’s calls came to', async () => {
    const process = await startTrial();
    const own = viewer;
    viewer = await createOrganization(database.pool);
    process.apply(await set({ '1': 0.5, '2': 0.5 }));
    observe(process, '2', 100, failed);
    await process.close();
    expect((await asStored())?.returnedReason).not.toBeNull();
    viewer = own;
    expect(await asStored()).toMatchObject({ weights: { '1': 0.5, '2': 0.5 }, returnedReason: null });
    expect(find(process)).toEqual(await asStored());
  });

  test('is judged anew when it is set again', async () => {
    const process = await startTrial();
    observe(process, '2', 19, failed);
    process.apply(await set({ '1': 0.6, '2': 0.4 }));
    observe(process, '2', 19, failed);
    await process.close();
    expect(await asStored()).toMatchObject({ weights: { '1': 0.6, '2': 0.4 }, returnedReason: null });
  });

  test('stays when somebody has set the weights in the meantime', async () => {
    const process = await startTrial();
    const changed = await set({ '1': 0.1, '2': 0.9 });
    observe(process, '2', 100, failed);
    await process.close();
    expect(await asStored()).toEqual(changed);
    await process.refresh();
    expect(find(process)).toEqual(changed);
  });

  test('stays when there is nothing to return to', async () => {
    const process = await startTrial({ inference: { versions: () => loaded.slice(1) } });
    observe(process, '2', 100, failed);
    await process.close();
    expect(await asStored()).toMatchObject({ weights: { '1': 0.5, '2': 0.5 }, returnedReason: null });
  });

  test('returns once, and again only after a pause when the database fails', async () => {
    let attempts = 0;
    const failing: Database = {
      ...database.pool,
      run: async () => {
        attempts += 1;
        throw new Error('down');
      },
    };
    const errors: unknown[] = [];
    const process = await startTrial({ database: failing, onError: (error) => errors.push(error) });
    observe(process, '2', 100, failed);
    await process.close();
    observe(process, '2', 100, failed);
    await process.close();
    expect({ attempts, errors: errors.length }).toEqual({ attempts: 1, errors: 1 });
    expect(find(process)).toMatchObject({ weights: { '1': 0.5, '2': 0.5 } });
  });
});
