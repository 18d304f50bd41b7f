import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuseRanks } from './rank-fusion.ts';

describe('fuseRanks', () => {
  it('sums 1 / (60 + rank), as a share of the first place in all lists', () => {
    const fused = fuseRanks([
      ['a', 'b', 'c'],
      ['c', 'a'],
    ]);
    expect(fused.map(({ id }) => id)).toEqual(['a', 'c', 'b']);
    expect(fused[0]!.score).toBeCloseTo((1 / 61 + 1 / 62) / (2 / 61));
    expect(fused[2]!.score).toBeCloseTo(1 / 62 / (2 / 61));
  });

  it('orders equal ones by id, whichever list they come from', () => {
    expect(fuseRanks([['b'], ['a']]).map(({ id }) => id)).toEqual(['a', 'b']);
    expect(fuseRanks([['a'], ['b']]).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('gives 1 to what is first everywhere, and nothing for nothing', () => {
    expect(fuseRanks([['a'], ['a']])).toEqual([{ id: 'a', score: 1 }]);
    expect(fuseRanks([[], []])).toEqual([]);
  });

  it('keeps every id once, scores within 0 and 1, and the order of a list that is alone', () => {
    const ids = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 100 });
    fc.assert(
      fc.property(ids, ids, (first, second) => {
        const fused = fuseRanks([first, second]);
        expect(fused.map(({ id }) => id).sort()).toEqual([...new Set([...first, ...second])].sort());
        expect(fused.every(({ score }) => score > 0 && score <= 1)).toBe(true);
        expect(fuseRanks([first, []]).map(({ id }) => id)).toEqual(first);
      }),
    );
  });
});
