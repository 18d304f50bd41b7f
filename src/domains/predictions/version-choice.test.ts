import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LoadedVersion } from '../../inference/engine.ts';
import { chooseVersion, defaultVersion, effectiveWeights, type VersionWeight } from './version-choice.ts';

const viewers = Array.from({ length: 100_000 }, (_, index) => `viewer-${index}/sentiment`);
/** Four standard deviations of the share that a random half of the viewers has. */
const tolerance = (4 * 0.5) / Math.sqrt(viewers.length);

function toWeights(weights: Readonly<Record<string, number>>): VersionWeight[] {
  return Object.entries(weights).map(([version, weight]) => ({ version, weight }));
}

function chooseAll(weights: Readonly<Record<string, number>>): string[] {
  const list = toWeights(weights);
  return viewers.map((viewer) => chooseVersion(list, viewer));
}

function shareOf(choices: readonly string[], version: string): number {
  return choices.filter((choice) => choice === version).length / choices.length;
}

/** Shares of viewers by where they were and where they are, such as `a>b`. */
function movesBetween(before: readonly string[], after: readonly string[]): Map<string, number> {
  const moved = before.flatMap((version, index) => (version === after[index] ? [] : [`${version}>${after[index]}`]));
  const counts = Map.groupBy(moved, (move) => move);
  return new Map([...counts].map(([move, list]) => [move, list.length / viewers.length]));
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}

describe('the choice of a version', () => {
  test('gives each its share of 100,000 viewers', () => {
    const weights = { '1': 0.6, '2': 0.3, '3': 0.09, '4': 0.01, '5': 0 };
    const choices = chooseAll(weights);
    for (const [version, weight] of Object.entries(weights)) {
      expect(Math.abs(shareOf(choices, version) - weight), version).toBeLessThan(tolerance);
    }
    expect(shareOf(choices, '5')).toBe(0);
  });

  test('is the same each time, whatever the order of the versions', () => {
    const weights = { '1': 0.2, '2': 0.5, '3': 0.3 };
    const backwards = toWeights(weights).reverse();
    expect(viewers.map((viewer) => chooseVersion(backwards, viewer))).toEqual(chooseAll(weights));
  });

  test('of two versions moves only those it must, in steps of a rollout', () => {
    const steps = [0, 0.01, 0.1, 0.5, 1].map((weight) => ({
      weight,
      choices: chooseAll({ '1': 1 - weight, '2': weight }),
    }));
    for (const [index, { weight, choices }] of steps.slice(1).entries()) {
      const before = steps[index]!;
      const moves = movesBetween(before.choices, choices);
      expect([...moves.keys()]).toEqual(['1>2']);
      expect(Math.abs(moves.get('1>2')! - (weight - before.weight))).toBeLessThan(2 * tolerance);
    }
  });

  test('moves viewers only to a version that grows at the expense of all others', () => {
    const moves = movesBetween(
      chooseAll({ '1': 0.6, '2': 0.3, '3': 0.1 }),
      chooseAll({ '1': 0.4, '2': 0.2, '3': 0.4 }),
    );
    expect([...moves.keys()].sort()).toEqual(['1>3', '2>3']);
    expect(Math.abs(sum(moves.values()) - 0.3)).toBeLessThan(2 * tolerance);
  });

  test('moves only the viewers of a version that is gone', () => {
    const moves = movesBetween(chooseAll({ '1': 0.5, '2': 0.3, '3': 0.2 }), chooseAll({ '1': 0.625, '2': 0.375 }));
    expect([...moves.keys()].sort()).toEqual(['3>1', '3>2']);
    expect(Math.abs(sum(moves.values()) - 0.2)).toBeLessThan(2 * tolerance);
  });

  test('is another one for another model', () => {
    const weights = toWeights({ '1': 0.5, '2': 0.5 });
    const both = viewers.filter(
      (viewer) => chooseVersion(weights, viewer) === '2' && chooseVersion(weights, `${viewer}-large`) === '2',
    );
    expect(Math.abs(both.length / viewers.length - 0.25)).toBeLessThan(tolerance);
  });

  test('is always one with a weight, whatever the weights', () => {
    const weight = fc.oneof(fc.constant(0), fc.double({ min: 1e-9, max: 1, noNaN: true }));
    const weights = fc.array(weight, { minLength: 1, maxLength: 20 }).filter((list) => list.some((one) => one > 0));
    fc.assert(
      fc.property(weights, fc.uuid(), (list, viewer) => {
        const chosen = chooseVersion(
          list.map((one, index) => ({ version: String(index), weight: one })),
          viewer,
        );
        expect(list[Number(chosen)]).toBeGreaterThan(0);
      }),
    );
    expect(() => chooseVersion(toWeights({ '1': 0 }), 'x')).toThrow(RangeError);
  });
});

describe('the weights of the loaded versions', () => {
  const loaded = (...versions: string[]) =>
    versions.map((version) => ({ version, precision: version.includes('int8') ? 'INT8' : 'FP32' })) as LoadedVersion[];
  const rollout = { weights: { '1': 0.6, '2': 0.3, '3': 0.1 }, baselineVersion: '1' };

  test('are those of the rollout, 0 for the others', () => {
    expect(effectiveWeights(loaded('1', '2', '3', '4'), rollout).map(({ weight }) => weight)).toEqual([
      0.6, 0.3, 0.1, 0,
    ]);
  });

  test('of those that are gone go to the others in proportion', () => {
    const left = effectiveWeights(loaded('2', '3'), rollout);
    expect(left.map(({ version }) => version)).toEqual(['2', '3']);
    expect(left[0]!.weight).toBeCloseTo(0.75, 12);
    expect(left[1]!.weight).toBeCloseTo(0.25, 12);
  });

  test('are all the baseline’s when none is left, and the newest one’s when that is gone too', () => {
    const only = { weights: { '9': 1 }, baselineVersion: '1' };
    expect(effectiveWeights(loaded('1', '2'), only)).toEqual(toWeights({ '1': 1, '2': 0 }));
    expect(effectiveWeights(loaded('2', '3'), only)).toEqual(toWeights({ '2': 0, '3': 1 }));
  });

  test('without a rollout are all the newest one’s of full precision', () => {
    expect(effectiveWeights(loaded('9', '10', '11-int8'), null).map(({ weight }) => weight)).toEqual([0, 1, 0]);
    expect(defaultVersion(loaded('1-int8', '2-int8')).version).toBe('2-int8');
  });

  test('mean nothing by names that every object has', () => {
    expect(effectiveWeights(loaded('1', 'constructor'), rollout)).toEqual([
      { version: '1', weight: 1 },
      { version: 'constructor', weight: 0 },
    ]);
  });
});
