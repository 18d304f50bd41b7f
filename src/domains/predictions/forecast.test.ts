import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advanceSite,
  buildForecastInput,
  type ForecastInput,
  type ForecastSite,
  forecastDays,
  forecastFeatureCount,
  hourlyShape,
  readForecast,
  widenBand,
} from './forecast.ts';

const growth = { lower: [1, 2], upper: [1, 3] };

function siteWith(history: Float64Array, more: Partial<ForecastSite> = {}): ForecastSite {
  return { history, startUtcMs: Date.UTC(2024, 4, 6), timeZone: 'Europe/Berlin', holidays: new Set(), ...more };
}

function dailyCurve(level: number, swing: number): Float64Array {
  return Float64Array.from({ length: 168 }, (_, i) => level + swing * Math.sin((i / 12) * Math.PI));
}

/** A model that forecasts the last load, with a band of one standard deviation on either side. */
function flatOutput(): Float32Array {
  return Float32Array.from({ length: 72 }, (_, i) => Math.floor(i / 24) - 1);
}

describe('buildForecastInput', () => {
  it('gives equal features for any scale and offset of the load', () => {
    const small = buildForecastInput(siteWith(dailyCurve(5, 1)));
    const large = buildForecastInput(siteWith(dailyCurve(90_000, 10_000)));
    expect(small.features).toHaveLength(forecastFeatureCount(hourlyShape));
    small.features.forEach((feature, i) => {
      expect(large.features[i]).toBeCloseTo(feature, 4);
    });
  });

  it('flags holidays before and after the start, by local date', () => {
    const history = dailyCurve(5, 1);
    const flagsOf = (dates: string[]) =>
      [...buildForecastInput(siteWith(history, { holidays: new Set(dates) })).features.slice(-22)].map(Boolean);
    expect(flagsOf([])).not.toContain(true);
    expect(flagsOf(['2024-05-06']).slice(14)).toEqual([true, true, true, true, true, true, true, true]);
    expect(flagsOf(['2024-05-01']).filter(Boolean)).toHaveLength(2);
  });

  it('rejects a history of the wrong length or with gaps', () => {
    expect(() => buildForecastInput(siteWith(new Float64Array(10)))).toThrow(RangeError);
    expect(() => buildForecastInput(siteWith(new Float64Array(168).fill(Number.NaN)))).toThrow(RangeError);
  });

  it('gives finite features and ordered bands for any finite history', () => {
    const load = fc.oneof(fc.double({ min: -1e200, max: 1e200, noNaN: true }), fc.constant(0));
    const history = fc.array(load, { minLength: 168, maxLength: 168 });
    fc.assert(
      fc.property(history, (loads) => {
        const input = buildForecastInput(siteWith(Float64Array.from(loads)));
        expect(input.features.every(Number.isFinite)).toBe(true);
        for (const { p10, p50, p90 } of readForecast(flatOutput(), input)) {
          expect(Number.isFinite(p10) && p10 <= p50 && p50 <= p90 && Number.isFinite(p90)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('readForecast', () => {
  const input: ForecastInput = { features: new Float32Array(), level: 100, scale: 10, isNonNegative: true };

  it('turns the row scale back into loads and sorts crossing quantiles', () => {
    const crossing = [...new Array(24).fill(2), ...new Array(24).fill(1), ...new Array(24).fill(3)];
    expect(readForecast(crossing, input)).toHaveLength(24);
    expect(readForecast(crossing, input)[0]).toEqual({ p10: 110, p50: 120, p90: 130 });
  });

  it('goes below zero only for sites that did before', () => {
    const low = new Float32Array(72).fill(-20);
    expect(readForecast(low, input)[0]!.p50).toBe(0);
    expect(readForecast(low, { ...input, isNonNegative: false })[0]!.p50).toBe(-100);
  });

  it('forecasts a constant load for a constant history, and zero for a load of zero', () => {
    const zero = readForecast(flatOutput(), buildForecastInput(siteWith(new Float64Array(168))));
    expect(zero.every(({ p10, p50, p90 }) => p10 === 0 && p50 === 0 && p90 === 0)).toBe(true);
    const constant = readForecast(flatOutput(), buildForecastInput(siteWith(new Float64Array(168).fill(7))));
    for (const { p10, p90 } of constant) expect(p90 - p10).toBeLessThan(0.01);
  });
});

describe('advanceSite', () => {
  it('appends the medians and moves the start', () => {
    const site = siteWith(dailyCurve(5, 1));
    const moved = advanceSite(site, [{ p10: 0, p50: 42, p90: 99 }], 60);
    expect(moved.history).toHaveLength(168);
    expect(moved.history.at(-1)).toBe(42);
    expect(moved.history[0]).toBe(site.history[1]);
    expect(moved.startUtcMs - site.startUtcMs).toBe(3_600_000);
  });
});

describe('widenBand', () => {
  it('widens either side by its own growth, and keeps the last one beyond', () => {
    expect(widenBand([{ p10: 8, p50: 10, p90: 11 }], 1, growth)).toEqual([{ p10: 6, p50: 10, p90: 13 }]);
    expect(widenBand([{ p10: 8, p50: 10, p90: 11 }], 5, growth)).toEqual([{ p10: 6, p50: 10, p90: 13 }]);
  });

  it('does not push a load below zero that was not', () => {
    expect(widenBand([{ p10: 1, p50: 10, p90: 11 }], 1, growth)[0]!.p10).toBe(0);
  });
});

describe('forecastDays', () => {
  it('asks for all sites a day at a time and returns their steps in order', () => {
    const sites = [siteWith(dailyCurve(5, 1)), siteWith(dailyCurve(500, 100))];
    const run = forecastDays(sites, 3, growth);
    const batches: number[] = [];
    let state = run.next();
    while (!state.done) {
      batches.push(state.value.length);
      state = run.next(state.value.map(flatOutput));
    }
    expect(batches).toEqual([2, 2, 2]);
    expect(state.value.map((steps) => steps.length)).toEqual([72, 72]);
    expect(state.value[1]![0]!.p50).toBeCloseTo(sites[1]!.history.at(-1)!);
  });

  it.each([0, 8, 1.5])('rejects %d days', (days) => {
    expect(() => forecastDays([], days, growth).next()).toThrow('expected 1 to 7 days');
  });
});
