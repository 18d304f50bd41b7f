import { describe, expect, it } from 'vitest';
import { flagLocalDates, toLocalTime } from './forecast-calendar.ts';

describe('toLocalTime', () => {
  it('follows daylight saving', () => {
    expect(toLocalTime(Date.UTC(2024, 2, 31, 0), 'Europe/Berlin').hourOfDay).toBe(1);
    expect(toLocalTime(Date.UTC(2024, 2, 31, 1), 'Europe/Berlin').hourOfDay).toBe(3);
  });

  it('gives fractions of hours where the zone has them', () => {
    expect(toLocalTime(Date.UTC(2024, 0, 1, 0), 'Asia/Kolkata').hourOfDay).toBe(5.5);
  });

  it('counts days from Sunday and from 1 January, in local time', () => {
    const newYearInSydney = Date.UTC(2023, 11, 31, 13);
    expect(toLocalTime(newYearInSydney, 'Australia/Sydney')).toEqual({ hourOfDay: 0, dayOfWeek: 1, dayOfYear: 0 });
    expect(toLocalTime(newYearInSydney, 'UTC')).toEqual({ hourOfDay: 13, dayOfWeek: 0, dayOfYear: 364 });
  });

  it('rejects unknown zones', () => {
    expect(() => toLocalTime(0, 'Mars/Olympus')).toThrow(RangeError);
  });
});

describe('flagLocalDates', () => {
  it('flags instants by their local date, across a change of the clock', () => {
    const hours = [21, 22, 23].map((hour) => Date.UTC(2024, 2, 30, hour));
    const later = [21, 22, 23].map((hour) => Date.UTC(2024, 2, 31, hour));
    const flags = flagLocalDates([...hours, ...later], 'Europe/Berlin', new Set(['2024-03-31']));
    expect(flags).toEqual([false, false, true, true, false, false]);
  });

  it('flags nothing without dates', () => {
    expect(flagLocalDates([0, 1], 'UTC', new Set())).toEqual([false, false]);
  });
});
