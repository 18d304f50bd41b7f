import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { type Change, ChangeHistory, createLocalInvalidationLog, toPosition } from './invalidation-log.ts';

const at = (milliseconds: number, count = 0) => toPosition(milliseconds, count);

describe('positions', () => {
  test('compare as their numbers do', () => {
    const ascending = [at(9, 9), at(9, 10), at(10, 0), at(1_795_000_000_000, 2), at(1_795_000_000_000, 11)];
    expect(ascending.toSorted()).toEqual(ascending);
  });
});

describe('the history of changes', () => {
  test('knows which tags changed after a position', () => {
    const history = new ChangeHistory(at(1));
    history.record(at(5), ['a', 'b']);
    history.record(at(7), ['b']);
    expect(history.hasChangedSince(at(4), ['a'])).toBe(true);
    expect(history.hasChangedSince(at(5), ['a'])).toBe(false);
    expect(history.hasChangedSince(at(6), ['a', 'b'])).toBe(true);
    expect(history.hasChangedSince(at(7), ['a', 'b', 'c'])).toBe(false);
  });

  test('keeps the later of two changes, whichever is told first', () => {
    const history = new ChangeHistory(at(1));
    history.record(at(7), ['a']);
    history.record(at(5), ['a']);
    expect(history.hasChangedSince(at(6), ['a'])).toBe(true);
  });

  test('takes everything for changed that it does not know any more', () => {
    const history = new ChangeHistory(at(1), 2);
    expect(history.hasChangedSince(at(0), ['x'])).toBe(true);
    expect(history.hasChangedSince(at(1), ['x'])).toBe(false);
    history.record(at(2), ['a']);
    history.record(at(3), ['b']);
    history.record(at(4), ['a']);
    history.record(at(5), ['c']);
    expect(history.hasChangedSince(at(2), ['x'])).toBe(true);
    expect(history.hasChangedSince(at(3), ['x'])).toBe(false);
    expect(history.hasChangedSince(at(3), ['a'])).toBe(true);
  });

  test('a change of everything is one of each tag, and later changes still count', () => {
    const history = new ChangeHistory(at(1));
    history.record(at(9), ['late']);
    history.record(at(5), 'all');
    expect(history.hasChangedSince(at(4), ['x'])).toBe(true);
    expect(history.hasChangedSince(at(5), ['x'])).toBe(false);
    expect(history.hasChangedSince(at(8), ['late'])).toBe(true);
  });
});

test('a history that is full takes no more room, however many changes follow', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const history = new ChangeHistory(at(0));
  let changes = 0;
  const heapMibAfter = (more: number) => {
    for (const last = changes + more; changes < last; changes += 1) {
      history.record(at(changes + 1), [`${changes % 8}/features.id=${String(changes).padStart(36, '0')}`]);
    }
    collect();
    return process.memoryUsage().heapUsed / 2 ** 20;
  };
  const full = heapMibAfter(100_000);
  for (let times = 0; times < 4; times += 1) expect(heapMibAfter(50_000) - full).toBeLessThan(1);
  expect(history.hasChangedSince(at(1), ['x'])).toBe(true);
});

describe('the log of one process', () => {
  test('knows of a change before its append resolves, and tells of it once', async () => {
    const told: Change[] = [];
    const log = createLocalInvalidationLog((change) => told.push(change));
    const before = await log.catchUp();
    const appended = log.append(['a']);
    expect(log.hasChangedSince(before!, ['a'])).toBe(true);
    expect(log.hasChangedSince(before!, ['b'])).toBe(false);
    expect(log.hasChangedSince((await log.catchUp())!, ['a'])).toBe(false);
    await appended;
    await log.append([]);
    expect(told).toEqual([['a']]);
  });
});
