import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { BatchReport, Row } from './engine.ts';
import { doubling, numbersOf, outputOf, startEngine, valuesRow } from './testing-engine.ts';
import { heavyGraph, identityGraph } from './testing-model.ts';

const predictDoubling = { model: 'doubling', version: '1' };

describe('predict', () => {
  test('answers 300 rows of a call in their order, from one batch', async () => {
    const reports: BatchReport[] = [];
    const engine = await startEngine([doubling], { onBatch: (report) => reports.push(report) });
    const rows = Array.from({ length: 300 }, (_, index) => valuesRow(...new Array(1 + ((index * 7) % 31)).fill(index)));
    const results = await engine.predict({ ...predictDoubling, rows });
    expect(results.map((result) => numbersOf(result, 'total')[0])).toEqual(
      rows.map((row, index) => row.values!.data.length * index),
    );
    expect(reports).toEqual([
      {
        model: 'doubling',
        version: '1',
        rows: 300,
        queueMs: expect.any(Number),
        computeMs: expect.any(Number),
        isFailed: false,
      },
    ]);
    expect(outputOf(results[0])).toMatchObject({ batchRows: 300, computeMs: reports[0]!.computeMs });
  });

  test('gives ragged rows together what each gets alone', async () => {
    const engine = await startEngine([doubling]);
    const rows = [valuesRow(1.5), valuesRow(1, 2, 3.25, 4), valuesRow(), valuesRow(-1, 0.5)];
    const together = await engine.predict({ ...predictDoubling, rows });
    for (const [index, row] of rows.entries()) {
      const [alone] = await engine.predict({ ...predictDoubling, rows: [row] });
      expect(outputOf(together[index]).outputs).toEqual(outputOf(alone).outputs);
      expect(outputOf(together[index]).outputs.doubled!.dims).toEqual(row.values!.dims);
    }
  });

  test('splits at maxBatchRows, and uses all workers', async () => {
    const reports: BatchReport[] = [];
    const engine = await startEngine([{ ...doubling, manifest: { maxBatchRows: 4 } }], {
      workers: 2,
      onBatch: (report) => reports.push(report),
    });
    const rows = Array.from({ length: 10 }, (_, index) => valuesRow(index));
    const results = await engine.predict({ ...predictDoubling, rows });
    expect(results.map((result) => numbersOf(result, 'doubled'))).toEqual(rows.map((_, index) => [2 * index]));
    expect(reports.map((report) => report.rows).sort()).toEqual([2, 4, 4]);
  });

  test('returns copies: no two rows share memory', async () => {
    const engine = await startEngine([doubling]);
    const [first, second] = await engine.predict({ ...predictDoubling, rows: [valuesRow(1), valuesRow(2)] });
    (outputOf(first).outputs.doubled!.data as Float32Array).fill(99);
    expect(numbersOf(second, 'doubled')).toEqual([4]);
    expect(outputOf(first).outputs.doubled!.data.buffer.byteLength).toBe(4);
  });

  test.each<[string, Row[string]]>([
    ['int64', { data: BigInt64Array.of(-1n, 2n ** 60n), dims: [2] }],
    ['int32', { data: Int32Array.of(-7, 8), dims: [2] }],
    ['uint8', { data: Uint8Array.of(0, 255), dims: [2] }],
    ['int8', { data: Int8Array.of(-128, 127), dims: [2] }],
    ['bool', { data: Uint8Array.of(1, 0), dims: [2] }],
  ])('passes %s through unchanged', async (type, tensor) => {
    const graph = identityGraph(type as 'int64', [2]);
    const engine = await startEngine([{ name: 'identity', version: '1', graph }]);
    const [result] = await engine.predict({ model: 'identity', version: '1', rows: [{ in: tensor }] });
    expect(outputOf(result).outputs.out).toEqual(tensor);
  });

  test('answers no rows without a batch', async () => {
    const engine = await startEngine([doubling], { onBatch: () => expect.unreachable() });
    expect(await engine.predict({ ...predictDoubling, rows: [] })).toEqual([]);
  });

  test('refuses unknown versions, wrong rows and too many, before anything runs', async () => {
    const engine = await startEngine([doubling], { maxQueuedRows: 10, onBatch: () => expect.unreachable() });
    const kindOf = (request: object) =>
      engine.predict({ ...predictDoubling, rows: [valuesRow(1)], ...request }).then(
        () => 'answered',
        (error) => error.kind,
      );
    expect(await kindOf({ version: '2' })).toBe('unknown-model');
    expect(await kindOf({ model: '__proto__' })).toBe('unknown-model');
    expect(await kindOf({ rows: [valuesRow(1), {}] })).toBe('invalid-input');
    expect(await kindOf({ rows: [{ values: { data: Float32Array.of(1), dims: [2] } }] })).toBe('invalid-input');
    expect(await kindOf({ rows: new Array(11).fill(valuesRow(1)) })).toBe('invalid-input');
    expect(engine.pendingRows()).toBe(0);
  });
});

test('the event loop stays responsive while a long batch runs', async () => {
  const engine = await startEngine([{ name: 'heavy', version: '1', graph: heavyGraph(120) }]);
  const rows = Array.from({ length: 1024 }, () => ({ x: { data: new Float32Array(512).fill(1), dims: [512] } }));
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const turns = { count: 0 };
  const timer = setInterval(() => turns.count++, 2);
  delays.enable();
  await sleep(10); // delays count from the monitor's first turn
  const results = await engine.predict({ model: 'heavy', version: '1', rows });
  delays.disable();
  clearInterval(timer);
  const { computeMs } = outputOf(results[0]);
  expect(computeMs).toBeGreaterThan(100);
  expect(turns.count).toBeGreaterThan(computeMs / 20);
  expect(delays.max / 1e6).toBeLessThan(computeMs / 3);
});
