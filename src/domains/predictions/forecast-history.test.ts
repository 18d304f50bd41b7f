import { describe, expect, it } from 'vitest';
import { ForecastHistoryError, fillHistory } from './forecast-history.ts';

const week = 168;
const missing = Number.NaN;

function rising(hours: number): Float64Array {
  return Float64Array.from({ length: hours }, (_, i) => i);
}

function withGap(loads: Float64Array, from: number, length: number): Float64Array {
  return loads.slice().fill(missing, from, from + length);
}

describe('fillHistory', () => {
  it('returns the last hours as they are when none is missing', () => {
    expect(fillHistory(rising(200))).toEqual(rising(200).slice(-week));
  });

  it('draws a line over gaps of up to 6 hours', () => {
    expect(fillHistory(withGap(rising(week), 50, 6))).toEqual(rising(week));
  });

  it('takes the same hour of the week before for longer gaps', () => {
    const filled = fillHistory(withGap(rising(2 * week), week + 50, 7));
    expect([...filled.subarray(50, 57)]).toEqual([50, 51, 52, 53, 54, 55, 56]);
    expect(filled[57]).toBe(week + 57);
  });

  it('fills the newest hours from the week before, or from the newest value without one', () => {
    expect(fillHistory(withGap(rising(2 * week), 2 * week - 3, 3)).at(-1)).toBe(week - 1);
    expect(fillHistory(withGap(rising(week), week - 3, 3)).at(-1)).toBe(week - 4);
  });

  it('fails when there is too little to fill from', () => {
    expect(() => fillHistory(rising(100))).toThrow(ForecastHistoryError);
    expect(() => fillHistory(withGap(rising(week), 50, 7))).toThrow('7 hours have neither');
    expect(() => fillHistory(withGap(rising(2 * week), week, 100))).toThrow('half of the last 168 hours, got 68');
  });
});
