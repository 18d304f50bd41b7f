import { describe, expect, test, vi } from 'vitest';
import type { Measured } from './batch-times.ts';
import type { InferenceError, LoadedVersion } from './engine.ts';
import { numbersOf } from './testing-engine.ts';
import { type PredictValues, startBatcher, turns, versionOf } from './testing-runner.ts';

const range = (from: number, count: number) => Array.from({ length: count }, (_, at) => from + at);
const kindOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'answered',
    (error) => (error as InferenceError).kind,
  );
/** Whether a call would be let in, for the shortest deadline that is: in steps of a millisecond. */
async function shortestDeadlineMs(predict: PredictValues, request = {}): Promise<number> {
  for (let deadlineMs = 1; deadlineMs < 500; deadlineMs++) {
    const controller = new AbortController();
    const outcome = kindOf(predict([-1], { deadlineMs: deadlineMs + 1e-6, signal: controller.signal, ...request }));
    controller.abort();
    if ((await outcome) === 'aborted') return deadlineMs;
  }
  return Number.POSITIVE_INFINITY;
}
/** A batcher that has learnt that a row takes 10 ms, in batches of up to 8. */
async function startLearnt(options: Parameters<typeof startBatcher>[0] = {}) {
  const started = startBatcher(options, { deterministic: false });
  for (const rows of [1, 8, 4, 2, 8, 1]) {
    void started.predict(range(0, rows));
    await turns();
    await started.runner.end(10 * rows);
  }
  return started;
}

describe('a call is let in by what it will take', () => {
  test('nothing runs or waits: always, for what was measured may be wrong', async () => {
    const { predict } = await startLearnt();
    expect(await shortestDeadlineMs(predict)).toBe(1);
  });

  test('its own run counts, what runs, what is staged, and what waits', async () => {
    const { predict, runner } = await startLearnt();
    void predict([1, 2, 3]);
    await turns();
    expect(await shortestDeadlineMs(predict)).toBe(30 + 10);
    vi.advanceTimersByTime(20);
    expect(await shortestDeadlineMs(predict)).toBe(10 + 10);
    void predict(range(10, 8));
    await turns();
    expect(runner.valuesOf()[1]).toEqual(range(10, 8));
    expect(await shortestDeadlineMs(predict)).toBe(10 + 80 + 10);
    void predict(range(20, 5));
    await turns();
    expect(await shortestDeadlineMs(predict)).toBe(10 + 80 + 60);
  });

  test('workers share what is before it, not its own batch', async () => {
    const started = startBatcher({ workers: 2 }, { deterministic: false });
    const { predict, runner } = started;
    for (let round = 0; round < 3; round++) {
      void predict([1]);
      await turns();
      await runner.end(10);
    }
    void predict([1]);
    void predict([2], { of: versionOf({ version: '2' }) });
    await turns();
    expect([runner.valuesOf(0), runner.valuesOf(1)]).toEqual([[[1]], [[2]]]);
    expect(await shortestDeadlineMs(predict)).toBe(10 / 2 + 10);
  });

  test('bulk rows do not count for interactive ones', async () => {
    const { predict } = await startLearnt();
    void predict([1]);
    await turns();
    void predict(range(10, 16), { lane: 'bulk' });
    expect(await shortestDeadlineMs(predict)).toBe(10 + 10);
    expect(await shortestDeadlineMs(predict, { lane: 'bulk' })).toBeGreaterThan(160);
  });

  test('what an estimate must be times is measured', async () => {
    const { predict, runner } = await startLearnt();
    for (let round = 0; round < 40; round++) {
      void predict([1]);
      await turns();
      void predict([2], { deadlineMs: 1_000 });
      // 10 ms on average, as ever, but one cannot rely on it.
      const tookMs = round % 2 === 0 ? 5 : 15;
      await runner.end(tookMs);
      await runner.end(tookMs);
    }
    void predict([1]);
    await turns();
    const shortestMs = await shortestDeadlineMs(predict);
    expect(shortestMs).toBeGreaterThan(20 * 1.7);
    expect(shortestMs).toBeLessThan(20 * 4);
  });

  test('also by calls that waited in vain', async () => {
    const measured = new WeakMap<LoadedVersion, Measured>();
    const { predict, runner, version } = await startLearnt({ measured });
    void predict([1]);
    await turns();
    const late = kindOf(predict([2], { deadlineMs: 30 })); // thought to take 20
    vi.advanceTimersByTime(30);
    expect(await late).toBe('timeout');
    await runner.end(0);
    void predict([1]);
    // Another one knows what batches take, but of no call that was late.
    const other = startBatcher({ measured });
    void other.predict([1], { of: version });
    await turns();
    const shortestMs = await shortestDeadlineMs(predict);
    expect(shortestMs / (await shortestDeadlineMs(other.predict, { of: version }))).toBeCloseTo(1.5, 1);
  });

  test('a version that was not tried for long is tried again, whatever it took', async () => {
    const { predict } = await startLearnt();
    const other = versionOf({ version: '2' });
    void predict([1], { of: other });
    await turns();
    expect(await shortestDeadlineMs(predict)).toBe(1);
  });
});

describe('a refused call', () => {
  test('leaves nothing behind', async () => {
    const { predict, runner, batcher } = startBatcher({ maxQueuedRows: 10 });
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const signal = new AbortController().signal;
    const listeners = vi.spyOn(signal, 'addEventListener');
    const refused = predict(range(0, 11), { signal, deadlineMs: 1_000 });
    expect(await kindOf(refused)).toBe('overloaded');
    expect(predict(range(0, 11))).toBe(refused);
    expect(timers).not.toHaveBeenCalled();
    expect(listeners).not.toHaveBeenCalled();
    await turns();
    expect(runner.valuesOf()).toEqual([]);
    expect(batcher.pendingRows).toBe(0);
  });
});

describe('deadlines', () => {
  test('one timer is enough for many calls, and each ends at its own', async () => {
    const { predict, runner, batcher } = startBatcher();
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const ends = new Map<number, number>();
    for (const deadlineMs of [30, 50, 70]) {
      for (let call = 0; call < 100; call++) {
        predict([call], { deadlineMs }).catch(() => ends.set(deadlineMs, performance.now()));
      }
    }
    const startedAt = performance.now();
    const stays = predict([1]);
    await turns();
    expect(timers).toHaveBeenCalledTimes(1);
    for (const deadlineMs of [30, 50]) {
      await vi.advanceTimersByTimeAsync(deadlineMs - (performance.now() - startedAt));
      expect(ends.get(deadlineMs)! - startedAt).toBe(deadlineMs);
    }
    expect(ends.has(70)).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ends.get(70)! - startedAt).toBe(70);
    expect(timers).toHaveBeenCalledTimes(3);
    while (runner.valuesOf().length > 0) await runner.end(1);
    expect(numbersOf((await stays)[0], 'doubled')).toEqual([2]);
    expect(batcher.pendingRows).toBe(0);
  });

  test('rows that would come too late end before they run, and the others run', async () => {
    const { predict, runner } = await startLearnt();
    void predict([1]);
    await turns();
    const late = kindOf(predict([2], { deadlineMs: 35 }));
    const inTime = predict([3], { deadlineMs: 400 });
    vi.advanceTimersByTime(20); // the worker takes longer than it did
    await runner.end(0);
    expect(runner.valuesOf()).toEqual([[3]]);
    expect(await late).toBe('timeout');
    await runner.end(10);
    expect(numbersOf((await inTime)[0], 'doubled')).toEqual([6]);
  });

  test('but run when nothing else would: only that shows whether the estimate is right', async () => {
    const { predict, runner } = await startLearnt();
    void predict([1]);
    await turns();
    const late = predict([2], { deadlineMs: 35 });
    vi.advanceTimersByTime(30);
    await runner.end(0);
    expect(runner.valuesOf()).toEqual([[2]]);
    await runner.end(1);
    expect(numbersOf((await late)[0], 'doubled')).toEqual([4]);
  });
});
