import { expect, test } from 'vitest';
import { RestartDelay } from './restart-delay.ts';

test('is short at first, grows up to a limit while no process lasts, and begins again when one has', () => {
  const delay = new RestartDelay();
  const delays = Array.from({ length: 60 }, () => delay.next(50));
  expect(delays[0]).toBeLessThan(1_000);
  expect(Math.min(...delays.slice(-20))).toBeGreaterThan(5_000);
  expect(Math.max(...delays)).toBeLessThanOrEqual(10_000);
  expect(delay.next(60_000)).toBeLessThan(1_000);
});
