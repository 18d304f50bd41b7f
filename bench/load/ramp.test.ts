import { expect, test } from 'vitest';
import type { Phase } from '../suite/open-loop.ts';
import { secondsUntilNormal } from './latency-budgets.ts';
import { breakingRateOf, findBreaking, rampUp } from './ramp.ts';
import { Recorder } from './recorder.ts';
import type { RunReport } from './run-report.ts';

/** A server that answers so many a second, sheds what is more, and is slower the more it has to do. */
function serverOf(capacity: number) {
  return {
    stop() {},
    async run([phase]: readonly Phase[]): Promise<RunReport> {
      const { rate, seconds } = phase!;
      const recorder = new Recorder([phase!]);
      const total = rate * seconds;
      for (let number = 0; number < total; number++) {
        const isShed = number % rate >= capacity;
        recorder.ended((number * 1_000) / rate, 'critical', isShed ? 'shed' : 'ok', (60 * rate) / capacity);
      }
      return recorder.report(seconds, 0);
    },
  };
}

test('a ramp finds where p95 leaves its budget and where requests are shed, and goes on to twice of it', async () => {
  const steps = await rampUp(serverOf(1_000), { from: 500, stepSeconds: 1, most: 10_000 }, () => {});
  const breaking = findBreaking(steps);
  // 500, 625, 782, 978, 1223, 1529, 1912, 2390, 2988: 100 ms is passed at 1,667.
  expect(breaking.shedsAt).toBe(1_223);
  expect(breaking.slowAt).toBe(1_912);
  expect(breakingRateOf(breaking)).toBe(1_223);
  expect(breaking.highestGood).toBe(978);
  expect(breaking.highestGoodput).toBe(1_000);
  expect(steps.at(-1)!.rate).toBe(2_988);
});

test('a server that does not break is asked no faster than it may be', async () => {
  const steps = await rampUp(serverOf(1e6), { from: 100, stepSeconds: 1, most: 200 }, () => {});
  expect(findBreaking(steps)).toMatchObject({ slowAt: null, shedsAt: null, highestGood: steps.at(-1)!.rate });
  expect(steps.at(-1)!.rate).toBeLessThanOrEqual(200);
});

test('normal again is when the last bad second is over; never, when that is the last', () => {
  const recorder = new Recorder([{ rate: 20, seconds: 6 }]);
  const badSeconds = [1, 3];
  for (let number = 0; number < 120; number++) {
    const second = Math.floor(number / 20);
    recorder.ended(number * 50, 'standard', 'ok', badSeconds.includes(second) ? 500 : 20);
  }
  const { ticks } = recorder.report(6, 0);
  expect(secondsUntilNormal(ticks, 0)).toBe(4);
  expect(secondsUntilNormal(ticks, 4_000)).toBe(0);
  expect(secondsUntilNormal(ticks.slice(0, 4), 0)).toBeNull();
});

test('what was shed counts for no latency, and every request for its phase', () => {
  const recorder = new Recorder([
    { rate: 1, seconds: 1 },
    { rate: 2, seconds: 1 },
  ]);
  recorder.ended(0, 'critical', 'ok', 10);
  recorder.ended(1_000, 'critical', 'shed', 1_000);
  recorder.ended(1_500, 'bulk', 'timed out', 11_000);
  const report = recorder.report(2, 0);
  expect(report.phaseOutcomes).toEqual([{ ok: 1 }, { shed: 1, 'timed out': 1 }]);
  expect(report.classes.critical.count).toBe(1);
  expect(report.classes.critical.maxMs).toBeCloseTo(10, 1);
  expect(report.classes.bulk.count).toBe(1);
  expect(report.answeredPerSecond).toBe(0.5);
});
