import { describe, expect, test } from 'vitest';
import {
  type CallOutcome,
  CallWindow,
  defaultGuard,
  findErrorFault,
  findLatencyFault,
  windowCalls,
  windowMs,
} from './rollout-guard.ts';

/** Calls of which some failed; the others took so long. */
function calls(count: number, failed: number, latencyMs: number | null = 10): CallOutcome[] {
  return Array.from({ length: count }, (_, index) => {
    const isFailed = index < failed;
    return { atMs: index, isFailed, latencyMs: isFailed ? null : latencyMs };
  });
}

function fault(candidate: CallOutcome[], baseline: CallOutcome[], guard = defaultGuard) {
  const [own, other] = [
    { version: '2', calls: candidate },
    { version: '1', calls: baseline },
  ];
  return findErrorFault(own, other, guard) ?? findLatencyFault(own, other, guard);
}

describe('errors', () => {
  test.each([
    [20, 1, 0, 0, false],
    [20, 2, 0, 0, true],
    [19, 19, 0, 0, false],
    [200, 30, 200, 20, false],
    [200, 31, 200, 20, true],
    [100, 50, 100, 50, false],
    [100, 0, 100, 90, false],
  ])('%i calls with %i failed, against %i with %i: %s', (count, failed, baseCount, baseFailed, isFault) => {
    expect(fault(calls(count, failed), calls(baseCount, baseFailed)) !== null).toBe(isFault);
  });

  test('are told in words', () => {
    expect(fault(calls(40, 12), calls(180, 1))).toBe('version 2 failed 12 of its last 40 calls, version 1 1 of 180');
  });

  test('may be more by another guard', () => {
    expect(fault(calls(40, 12), calls(180, 0), { ...defaultGuard, maxErrorRate: 0.3 })).toBeNull();
    expect(fault(calls(40, 12), calls(180, 0), { ...defaultGuard, minCalls: 41 })).toBeNull();
  });
});

describe('latency', () => {
  test.each([
    ['twice as long', 20, 10, false],
    ['more than twice as long', 20.1, 10, true],
    ['ten times as long, but not 5 ms more', 5, 0.5, false],
    ['ten times as long and 5 ms more', 5.6, 0.56, true],
  ])('%s', (_label, own, other, isFault) => {
    expect(fault(calls(20, 0, own), calls(20, 0, other)) !== null).toBe(isFault);
  });

  test('is of calls that ran: those from the cache and those that failed do not count', () => {
    const cached = calls(100, 0, null);
    expect(fault([...cached, ...calls(19, 0, 100)], calls(20, 0, 10))).toBeNull();
    expect(fault([...cached, ...calls(20, 0, 100)], calls(20, 0, 10))).toBe(
      'version 2 took 100.0 ms in the median of its last 20 calls, version 1 10.0 ms',
    );
  });

  test('needs as many calls of the baseline', () => {
    expect(fault(calls(200, 0, 1000), calls(19, 0, 1))).toBeNull();
  });
});

describe('the window', () => {
  test('holds the last 200 calls', () => {
    const window = new CallWindow();
    for (const outcome of calls(windowCalls + 50, 50)) window.add(outcome);
    expect(window.at(0)).toHaveLength(windowCalls);
    expect(window.at(0).some(({ isFailed }) => isFailed)).toBe(false);
  });

  test('holds calls of the last 10 minutes', () => {
    const window = new CallWindow();
    for (const atMs of [0, 1, 2]) window.add({ atMs, isFailed: false, latencyMs: 1 });
    expect(window.at(windowMs).map(({ atMs }) => atMs)).toEqual([1, 2]);
    expect(window.at(3 * windowMs)).toEqual([]);
    window.add({ atMs: 3 * windowMs, isFailed: false, latencyMs: 1 });
    expect(window.at(3 * windowMs)).toHaveLength(1);
  });
});
