import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { checkRows } from './row-check.ts';
import { numbersOf } from './testing-engine.ts';
import { startBatcher, turns } from './testing-runner.ts';

/** The first values of the rows that ran for one call, which is the only one that waits. */
async function ran(values: readonly (number | number[])[]): Promise<number[][]> {
  const { runner, predict } = startBatcher({}, { maxBatchRows: 1_024, raggedRows: 'separate' });
  const call = predict(values);
  await turns();
  const batches: number[][] = [];
  while (runner.valuesOf().length > 0) {
    batches.push(runner.valuesOf()[0]!);
    await runner.end(1);
  }
  expect((await call).map((result) => numbersOf(result, 'doubled'))).toEqual(
    values.map((row) => [row].flat().map((value) => 2 * value)),
  );
  return batches;
}

test('rows with equal bits run once, whatever comes between them', async () => {
  expect(await ran([1, 2, 1, 1, 2])).toEqual([[1, 2]]);
  const many = Array.from({ length: 1_000 }, (_, at) => at);
  expect(await ran([...many, ...many])).toEqual([many]);
});

test('rows that only look alike run each', async () => {
  // As integers of 32 bits all but one are 0.
  expect((await ran([0, -0, 2 ** 32, 2 ** 33, Number.NaN])).flat()).toHaveLength(5);
  expect((await ran([[1, 0], [1], [0, 1]])).flat()).toHaveLength(3);
  expect(
    (
      await ran([
        [1, 2, 3, 4],
        [1, 2, 3, 5],
        [1, 2, 3, 4],
      ])
    ).flat(),
  ).toHaveLength(2);
});

test('long rows are not compared', async () => {
  const long = new Array(257).fill(1);
  expect((await ran([long, long])).flat()).toHaveLength(2);
  expect((await ran([long.slice(1), long.slice(1)])).flat()).toHaveLength(1);
});

test('a row that left is not found any more', async () => {
  const { runner, predict } = startBatcher();
  void predict([1]);
  await turns();
  const controller = new AbortController();
  const left = predict([2], { signal: controller.signal }).catch(() => 'aborted');
  controller.abort();
  const stays = predict([2]);
  expect(await left).toBe('aborted');
  await runner.end(1);
  expect(runner.valuesOf()).toEqual([[2]]);
  void predict([2]);
  await turns();
  await runner.end(1);
  expect(runner.valuesOf()).toEqual([[2]]); // it came while the other ran
  expect(numbersOf((await stays)[0], 'doubled')).toEqual([4]);
});

test('nothing keeps a row that has run', async () => {
  const started = startBatcher();
  const { runner } = started;
  const data = await (async () => {
    const values = Float32Array.of(1, 2, 3);
    const row = { values: { data: values, dims: [3] } };
    const { batcher, version } = started;
    const call = batcher.submit(version, checkRows(version.manifest, [row]), { model: '', version: '', rows: [row] });
    await turns();
    await runner.end(1);
    await call;
    return new WeakRef(values);
  })();
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  await turns();
  collectGarbage();
  expect(data.deref()).toBe(undefined);
  expect(started.batcher.pendingRows).toBe(0);
});
