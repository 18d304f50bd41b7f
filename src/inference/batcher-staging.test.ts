import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { InferenceError } from './engine.ts';
import { numbersOf, outputOf } from './testing-engine.ts';
import { startBatcher, turns } from './testing-runner.ts';

const range = (from: number, count: number) => Array.from({ length: count }, (_, at) => from + at);

describe('a batch is staged behind the one that runs', () => {
  test('when it is full, so that the worker goes on at once; one that is not gathers on', async () => {
    const { runner, predict } = startBatcher();
    const first = predict([1]);
    await turns();
    const later = predict(range(10, 11));
    await turns();
    expect(runner.valuesOf()).toEqual([[1], range(10, 8)]);
    const more = predict([30]);
    await turns();
    expect(runner.valuesOf()).toHaveLength(2);
    await runner.end(0);
    expect(runner.valuesOf()).toEqual([range(10, 8)]); // 3 + 1 rows gather on
    await runner.end(0);
    expect(runner.valuesOf()).toEqual([[18, 19, 20, 30]]);
    await runner.end(0);
    const results = [await first, await later, await more].flat();
    expect(results.map((result) => numbersOf(result, 'doubled')[0])).toEqual(
      [1, ...range(10, 11), 30].map((value) => 2 * value),
    );
  });

  test('and has waited until it started, not until it was staged', async () => {
    const { runner, predict } = startBatcher();
    void predict([1]);
    await turns();
    const staged = predict(range(10, 8));
    await turns();
    await runner.end(5);
    await runner.end(7);
    expect(outputOf((await staged)[0]).queueMs).toBe(5);
  });

  test('when it is worth a message, unless the model has dear fixed costs', async () => {
    const { runner, predict } = startBatcher({}, { maxBatchRows: 100, deterministic: false });
    const learn = async (msOf: (rows: number) => number) => {
      for (const rows of [1, 40, 10, 80, 1, 40, 10, 80, 20]) {
        void predict(range(0, rows));
        await turns();
        await runner.end(msOf(rows));
      }
    };
    await learn((rows) => rows);
    void predict([1]);
    await turns();
    void predict([2, 3]);
    await turns();
    expect(runner.valuesOf()).toEqual([[1], [2, 3]]);
    await runner.end(1);
    await runner.end(2);
    for (let round = 0; round < 12; round++) await learn((rows) => rows + 10);
    void predict([1]);
    await turns();
    void predict([2, 3]);
    await turns();
    expect(runner.valuesOf()).toEqual([[1]]);
  });

  test('but an idle worker is served first', async () => {
    const { runner, predict } = startBatcher({ workers: 2 });
    void predict([1]);
    await turns();
    void predict(range(10, 9));
    await turns();
    expect([runner.valuesOf(0), runner.valuesOf(1)]).toEqual([[[1]], [range(10, 8)]]);
    await runner.end(1, 1);
    expect(runner.valuesOf(1)).toEqual([[18]]);
  });

  test('never of bulk rows while it is not their turn, so interactive ones that come later wait for one batch only', async () => {
    const { runner, predict } = startBatcher({ workers: 1 });
    void predict([1], { lane: 'bulk' });
    await turns();
    void predict(range(100, 16), { lane: 'bulk' });
    await turns();
    expect(runner.valuesOf()).toEqual([[1]]);
    void predict(range(10, 8));
    await turns();
    expect(runner.valuesOf()).toEqual([[1], range(10, 8)]);
    for (let round = 0; round < 7; round++) {
      void predict(range(20 + 10 * round, 8));
      await runner.end(1);
      expect(runner.valuesOf()[1]).toEqual(range(20 + 10 * round, 8));
    }
    void predict(range(0, 8));
    await runner.end(1);
    expect(runner.valuesOf()[1]).toEqual(range(100, 8)); // after eight interactive ones, although no worker is idle
  });
});

describe('a worker that dies', () => {
  test('is blamed on what ran: what was staged runs again as if nothing had happened', async () => {
    const { runner, predict } = startBatcher();
    const killer = predict([666]);
    await turns();
    const innocent = predict(range(10, 8));
    await turns();
    for (let deaths = 0; deaths < 2; deaths++) {
      expect(runner.valuesOf()[0]).toEqual([666]);
      await runner.die();
    }
    expect((await killer)[0]).toMatchObject({ kind: 'failed' });
    expect(runner.valuesOf()).toEqual([range(10, 8)]);
    await runner.die(); // its first death
    expect(runner.valuesOf()).toEqual([range(10, 8)]);
    await runner.end(1);
    expect((await innocent).map((result) => numbersOf(result, 'doubled')[0])).toEqual(range(10, 8).map((v) => 2 * v));
  });

  test('twice of one batch: it is halved until the row is found that kills', async () => {
    const { runner, predict, batcher } = startBatcher({}, { maxBatchRows: 64 });
    const calls = range(0, 64).map((value) => predict([value]));
    let deaths = 0;
    await turns();
    while (runner.valuesOf().length > 0) {
      if (runner.valuesOf()[0]!.includes(37)) {
        deaths++;
        await runner.die();
      } else await runner.end(1);
    }
    const results = (await Promise.all(calls)).map(([result]) => result);
    expect(results.flatMap((result, at) => (result instanceof InferenceError ? [at] : []))).toEqual([37]);
    expect(deaths).toBe(2 + Math.log2(64));
    expect(batcher.pendingRows).toBe(0);
  });

  test('of every row: the search ends', async () => {
    const { runner, predict } = startBatcher({}, { maxBatchRows: 64 });
    const call = predict(range(0, 64));
    let deaths = 0;
    await turns();
    for (; runner.valuesOf().length > 0; deaths++) await runner.die();
    expect((await call).every((result) => result instanceof InferenceError)).toBe(true);
    expect(deaths).toBeLessThan(40);
  });
});

describe('a lone large call', () => {
  const learn = async ({ runner, predict }: ReturnType<typeof startBatcher>, msPerRow: number) => {
    for (const rows of [1, 40, 10, 80]) {
      void predict(range(0, rows));
      await turns();
      for (const worker of [0, 1, 2]) if (runner.valuesOf(worker).length > 0) await runner.end(rows * msPerRow, worker);
    }
  };

  test('is shared out to all idle workers when that is faster', async () => {
    const started = startBatcher({ workers: 3 }, { maxBatchRows: 100, deterministic: false });
    const { runner, predict } = started;
    await learn(started, 0.1);
    const call = predict(range(0, 90));
    await turns();
    expect([0, 1, 2].map((worker) => runner.valuesOf(worker).map(({ length }) => length))).toEqual([[30], [30], [30]]);
    for (const worker of [0, 1, 2]) await runner.end(1, worker);
    expect((await call).map((result) => numbersOf(result, 'doubled')[0])).toEqual(range(0, 90).map((v) => 2 * v));
  });

  test('runs in one when it is too small to be worth a second message', async () => {
    const started = startBatcher({ workers: 3 }, { maxBatchRows: 100, deterministic: false });
    await learn(started, 0.002);
    void started.predict(range(0, 90));
    await turns();
    expect([0, 1, 2].map((worker) => started.runner.valuesOf(worker).length)).toEqual([1, 0, 0]);
  });
});

test('results of many calls are handed out over several turns, and are not lost when the engine ends meanwhile', async () => {
  const { runner, predict, batcher } = startBatcher({}, { maxBatchRows: 1_024 });
  let answered = 0;
  const calls = range(0, 1_000).map((value) =>
    predict([value]).then(([result]) => {
      answered++;
      return numbersOf(result, 'doubled')[0];
    }),
  );
  await turns();
  const ended = runner.end(1);
  const perTurn: number[] = [];
  for (let before = 0; answered < 1_000; before = answered) {
    await turn();
    perTurn.push(answered - before);
    batcher.failAll(new InferenceError('aborted', 'The server is shutting down.'));
  }
  await ended;
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(256);
  expect(await Promise.all(calls)).toEqual(range(0, 1_000).map((value) => 2 * value));
  expect(batcher.pendingRows).toBe(0);
});
