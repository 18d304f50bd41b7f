import { expect, test } from 'vitest';
import { toLocalTime } from '../domains/predictions/forecast-calendar.ts';
import { simulateLoad, timeZoneOf } from './load-series.ts';
import { riverbank } from './organizations.ts';
import { listHolidays } from './public-holidays.ts';

const startMs = Date.UTC(2024, 6, 1);
const hours = 730 * 24;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test.each(riverbank.sites.map((site) => [site.name, site] as const))('%s has the structure of a load', (_, site) => {
  const holidays = new Set(listHolidays(site.region, 2024, 2026));
  const loads = simulateLoad(site, holidays, startMs, hours);
  expect(simulateLoad(site, holidays, startMs, 100)).toEqual(loads.slice(0, 100));
  const local = loads.map((_, i) => toLocalTime(startMs + i * 3_600_000, timeZoneOf(site.region)));
  const where = (is: (i: number) => boolean) => mean(loads.filter((_, i) => is(i)));
  const atHour = (hour: number) => where((i) => Math.floor(local[i]!.hourOfDay) === hour);
  expect(atHour(18)).toBeGreaterThan(1.4 * atHour(3));
  expect(atHour(8)).toBeGreaterThan(1.2 * atHour(4));
  const isWeekend = (i: number) => local[i]!.dayOfWeek === 0 || local[i]!.dayOfWeek === 6;
  expect(where((i) => !isWeekend(i))).toBeGreaterThan(1.03 * where(isWeekend));
  const dateOf = (i: number) => new Date(startMs + (i + 2) * 3_600_000).toISOString().slice(0, 10);
  const isHoliday = (i: number) => holidays.has(dateOf(i)) && !isWeekend(i);
  expect(where((i) => !isWeekend(i) && !isHoliday(i))).toBeGreaterThan(where(isHoliday));
  const neighbours = loads.slice(1).map((load, i) => Math.abs(load - loads[i]!) / load);
  expect(mean(neighbours)).toBeLessThan(0.08);
});

test('Berlin heats in winter, Melbourne’s winter is in July', () => {
  const [melbourne, berlin] = riverbank.sites;
  const monthMean = (site: typeof melbourne, month: number) => {
    const loads = simulateLoad(site!, new Set(), startMs, hours);
    return mean(loads.filter((_, i) => new Date(startMs + i * 3_600_000).getUTCMonth() === month));
  };
  expect(monthMean(berlin, 0)).toBeGreaterThan(1.1 * monthMean(berlin, 6));
  expect(monthMean(melbourne, 6)).toBeGreaterThan(monthMean(melbourne, 3));
});

test('knows the public holidays of a year', () => {
  expect(listHolidays('berlin', 2026, 2026)).toEqual(
    '2026-01-01 2026-03-08 2026-04-03 2026-04-06 2026-05-01 2026-05-14 2026-05-25 2026-10-03 2026-12-25 2026-12-26'.split(
      ' ',
    ),
  );
  expect(listHolidays('newYork', 2026, 2026)).toContain('2026-11-26');
  expect(listHolidays('newYork', 2026, 2026)).toContain('2026-07-03');
  // Boxing Day on a Saturday, and a new year on a Saturday.
  expect(listHolidays('melbourne', 2026, 2026)).toContain('2026-12-28');
  expect(listHolidays('melbourne', 2028, 2028).slice(0, 2)).toEqual(['2028-01-01', '2028-01-03']);
  expect(listHolidays('melbourne', 2025, 2025)).toContain('2025-11-04');
});
