import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type BatchReport, type InferenceEngine, InferenceError, type Row, type RowResult } from './engine.ts';
import { doubling, numbersOf, outputOf, startEngine, valuesRow } from './testing-engine.ts';
import { heavyGraph, type TestVersion } from './testing-model.ts';
import { poisonOnce } from './testing-worker.ts';
import type { WorkerEngineOptions } from './worker-engine.ts';

const heavy: TestVersion = { name: 'heavy', version: '1', graph: heavyGraph(60) };
// Ids of 3 and more are found out of bounds only while the batch runs.
const lookup: TestVersion = {
  name: 'lookup',
  version: '1',
  graph: {
    inputs: [{ name: 'ids', type: 'int32', shape: ['batch', 'tokens'] }],
    outputs: [{ name: 'out', type: 'float32', shape: ['batch', 'tokens'] }],
    nodes: [{ operator: 'Gather', inputs: ['table', 'ids'], outputs: ['out'] }],
    constants: [{ name: 'table', type: 'float32', shape: [3], data: Float32Array.of(0, 10, 20) }],
  },
};

async function startReported(versions: readonly TestVersion[], options: Partial<WorkerEngineOptions> = {}) {
  const reports: BatchReport[] = [];
  const engine = await startEngine(versions, { onBatch: (report) => reports.push(report), ...options });
  return { engine, reports, rowsOf: (model: string) => reports.filter((r) => r.model === model).map((r) => r.rows) };
}
function predict(engine: InferenceEngine, row: Row, more: object = {}): Promise<readonly RowResult[]> {
  return engine.predict({ model: 'doubling', version: '1', rows: [row], ...more });
}
/** Occupies the only worker until it settles. */
async function occupy(engine: InferenceEngine, rows = 128): Promise<{ end: Promise<unknown> }> {
  const row = { x: { data: new Float32Array(512), dims: [512] } };
  const end = engine.predict({ model: 'heavy', version: '1', rows: new Array(rows).fill(row) });
  await turn();
  return { end };
}
const kindOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'answered',
    (error) => (error as InferenceError).kind,
  );
function* randomNumbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 1;
    yield state / 2 ** 31;
  }
}

describe('rows of several calls', () => {
  test('run together when they come in one macrotask, and a call alone starts within one', async () => {
    const { engine, reports } = await startReported([doubling]);
    const results = await Promise.all(Array.from({ length: 50 }, (_, at) => predict(engine, valuesRow(at))));
    expect(results.map(([result]) => numbersOf(result, 'doubled'))).toEqual(results.map((_, at) => [2 * at]));
    expect(reports.map(({ rows }) => rows)).toEqual([50]);
    const alone = predict(engine, valuesRow(7));
    await turn();
    expect(outputOf((await alone)[0])).toMatchObject({ batchRows: 1 });
    expect(outputOf((await alone)[0]).queueMs).toBeLessThan(50);
  });

  test('gather while the worker is busy', async () => {
    const { engine, rowsOf } = await startReported([doubling, heavy]);
    const { end } = await occupy(engine);
    const waiting: Promise<unknown>[] = [];
    for (let at = 0; at < 10; at++) {
      waiting.push(predict(engine, valuesRow(at)));
      await turn();
    }
    await Promise.all([end, ...waiting]);
    expect(rowsOf('doubling')).toEqual([10]);
  });

  test.each(['pad', 'separate'] as const)(
    'get what each gets alone, whoever runs beside them: %s',
    async (raggedRows) => {
      const manifest = { raggedRows, maxBatchRows: 7 };
      const { engine, reports } = await startReported([{ ...doubling, manifest }], { workers: 2 });
      const random = randomNumbers(5);
      const below = (limit: number) => Math.floor(random.next().value * limit);
      const rowOf = () => valuesRow(...Array.from({ length: below(12) }, () => below(9)));
      const calls = Array.from({ length: 200 }, () => Array.from({ length: below(5) }, rowOf));
      const answers = await Promise.all(
        calls.map(async (rows) => {
          for (let turns = below(4); turns > 0; turns--) await turn();
          const lane = below(3) === 0 ? 'bulk' : 'interactive';
          return engine.predict({ model: 'doubling', version: '1', rows, lane });
        }),
      );
      const together = reports.length;
      for (const [at, rows] of calls.entries()) {
        expect(answers[at]).toHaveLength(rows.length);
        for (const [index, row] of rows.entries()) {
          const [alone] = await predict(engine, row);
          expect(outputOf(answers[at]![index]).outputs).toEqual(outputOf(alone).outputs);
        }
      }
      expect(together).toBeLessThan(calls.flat().length / 2);
      expect(Math.max(...reports.map(({ rows }) => rows))).toBeLessThanOrEqual(7);
      expect(engine.pendingRows()).toBe(0);
    },
  );

  test('go on when one of the callers gives up', async () => {
    const { engine, rowsOf } = await startReported([doubling, heavy]);
    const { end } = await occupy(engine, 512);
    const controller = new AbortController();
    const shared = valuesRow(5);
    const aborted = kindOf(predict(engine, shared, { signal: controller.signal }));
    const late = kindOf(predict(engine, valuesRow(6), { deadlineMs: 1 }));
    const others = [predict(engine, valuesRow(5)), predict(engine, valuesRow(7))];
    expect(engine.pendingRows()).toBe(512 + 4);
    controller.abort();
    (shared.values!.data as Float32Array).fill(99); // its caller may, once the call has ended
    expect(await aborted).toBe('aborted');
    expect(await late).toBe('timeout');
    expect(engine.pendingRows()).toBe(512 + 2);
    const results = await Promise.all(others);
    expect(results.map(([result]) => numbersOf(result, 'doubled')[0])).toEqual([10, 14]);
    await end;
    expect(rowsOf('doubling')).toEqual([2]);
  });

  test('that are equal run once, and each caller has a copy', async () => {
    const { engine, rowsOf } = await startReported([
      doubling,
      { ...doubling, version: '2', manifest: { deterministic: false } },
    ]);
    const calls = [4, 4, 5, 4].map((value) => predict(engine, valuesRow(value)));
    const results = (await Promise.all(calls)).map(([result]) => outputOf(result));
    expect(results.map(({ outputs }) => outputs.doubled!.data[0])).toEqual([8, 8, 10, 8]);
    expect(new Set(results.map(({ outputs }) => outputs.doubled!.data.buffer)).size).toBe(4);
    await Promise.all([0, -0].map((value) => predict(engine, valuesRow(value))));
    await Promise.all([4, 4].map((value) => predict(engine, valuesRow(value), { version: '2' })));
    expect(rowsOf('doubling')).toEqual([2, 2, 2]);
  });
});

describe('lanes', () => {
  test('bulk rows fill what interactive ones leave of a batch', async () => {
    const { engine, rowsOf } = await startReported([{ ...doubling, manifest: { maxBatchRows: 8 } }]);
    const long = predict(engine, valuesRow(1, 2), { lane: 'bulk' });
    const bulk = Array.from({ length: 7 }, (_, at) => predict(engine, valuesRow(at), { lane: 'bulk' }));
    const interactive = Array.from({ length: 5 }, (_, at) => predict(engine, valuesRow(at)));
    const first = await Promise.all(interactive);
    expect(first.map(([result]) => outputOf(result).batchRows)).toEqual(new Array(5).fill(8));
    await Promise.all(bulk);
    expect(outputOf((await long)[0]).batchRows).toBe(5); // it would have made the others longer
    expect(rowsOf('doubling')).toEqual([8, 5]);
  });

  test('bulk rows wait for interactive ones, but not for all of them', async () => {
    const order: string[] = [];
    const { engine } = await startReported([{ ...doubling, manifest: { maxBatchRows: 1 } }, heavy]);
    const { end } = await occupy(engine);
    const bulk = predict(engine, valuesRow(-1), { lane: 'bulk' }).then(() => order.push('bulk'));
    const interactive = Array.from({ length: 20 }, (_, at) =>
      predict(engine, valuesRow(at)).then(() => order.push('interactive')),
    );
    await Promise.all([end, bulk, ...interactive]);
    expect(order.indexOf('bulk')).toBeGreaterThan(3);
    expect(order.indexOf('bulk')).toBeLessThan(12);
  });
});

describe('a batch that fails', () => {
  const predictId = (engine: InferenceEngine, id: number) =>
    engine.predict({ model: 'lookup', version: '1', rows: [{ ids: { data: Int32Array.of(id), dims: [1] } }] });

  test('fails only the rows that make it fail', async () => {
    const { engine, reports } = await startReported([{ ...lookup, manifest: { deterministic: false } }]);
    const ids = Array.from({ length: 64 }, (_, at) => (at === 13 || at === 50 ? 77 : at % 3));
    const results = (await Promise.all(ids.map((id) => predictId(engine, id)))).map(([result]) => result);
    expect(
      results.map((result) => (result instanceof InferenceError ? result.kind : numbersOf(result, 'out')[0])),
    ).toEqual(ids.map((id) => (id === 77 ? 'failed' : 10 * id)));
    expect(reports.length).toBeLessThanOrEqual(1 + 2 * 12);
    expect(engine.pendingRows()).toBe(0);
  });

  test('is not searched for ever when every row fails', async () => {
    const { engine, reports } = await startReported([{ ...lookup, manifest: { deterministic: false } }]);
    const results = await Promise.all(Array.from({ length: 500 }, () => predictId(engine, 77)));
    expect(results.every(([result]) => result instanceof InferenceError)).toBe(true);
    expect(reports.length).toBeLessThanOrEqual(65);
  });

  test('by the death of its worker runs once more, for all callers', async () => {
    const workerFile = new URL('./testing-worker.ts', import.meta.url);
    const { engine, reports } = await startReported([doubling], { workers: 2, workerFile });
    const calls = [1, poisonOnce, 3].map((value) => predict(engine, valuesRow(value)));
    const results = await Promise.all(calls);
    expect(results.map(([result]) => numbersOf(result, 'doubled')[0])).toEqual([2, 2 * poisonOnce, 6]);
    expect(reports.map(({ rows, isFailed }) => [rows, isFailed])).toEqual([
      [3, true],
      [3, false],
    ]);
  });
});

describe('load', () => {
  test('is cut by what a batch computes, once that was measured', async () => {
    const { engine, reports } = await startReported([heavy], { maxBatchMs: 5 });
    await (await occupy(engine, 2)).end;
    await (await occupy(engine, 64)).end;
    reports.length = 0;
    await (await occupy(engine, 512)).end;
    expect(reports.length).toBeGreaterThan(2);
    expect(reports.reduce((sum, { rows }) => sum + rows, 0)).toBe(512);
  });

  test('that cannot meet its deadline is refused at once, and never when nothing waits', async () => {
    const { engine } = await startReported([heavy]);
    for (const rows of [8, 64]) await (await occupy(engine, rows)).end;
    const running = await occupy(engine, 1000);
    const row = { x: { data: new Float32Array(512), dims: [512] } };
    const call = (deadlineMs: number) =>
      kindOf(engine.predict({ model: 'heavy', version: '1', rows: [row], deadlineMs }));
    const pending = engine.pendingRows();
    expect(pending).toBe(1000);
    expect(await call(2)).toBe('overloaded');
    const unchecked = engine.predict({ model: 'heavy', version: '1', rows: [{}], deadlineMs: 2 });
    expect(await kindOf(unchecked)).toBe('overloaded');
    expect(engine.pendingRows()).toBe(pending);
    expect(await call(60_000)).toBe('answered');
    await running.end;
    expect(await call(0.001)).toBe('timeout');
  });
});
