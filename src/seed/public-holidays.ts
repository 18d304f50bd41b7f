/** Public holidays by their rules, so that a seed of any year has the real ones. Pure. */
export type Region = 'melbourne' | 'berlin' | 'newYork';

const dayMs = 86_400_000;
const [sunday, monday, tuesday, thursday, saturday] = [0, 1, 2, 4, 6] as const;

/** The holidays of a region's years, `first` to `last`, as ascending dates (YYYY-MM-DD). */
export function listHolidays(region: Region, first: number, last: number): string[] {
  const days = Array.from({ length: last - first + 1 }, (_, i) => rules[region](first + i)).flat();
  return [...new Set(days.map((day) => new Date(day).toISOString().slice(0, 10)))].sort();
}

const rules: Record<Region, (year: number) => number[]> = {
  melbourne: (year) => [
    ...withMondayAfter(dayOf(year, 1, 1)),
    movedToMonday(dayOf(year, 1, 26)),
    nth(year, 3, monday, 2),
    ...[-2, -1, 0, 1].map((offset) => easter(year) + offset * dayMs),
    dayOf(year, 4, 25),
    nth(year, 6, monday, 2),
    // The Friday before the AFL grand final, which is on the last Saturday of September.
    lastOf(year, 9, saturday) - dayMs,
    nth(year, 11, tuesday, 1),
    ...christmas(year),
  ],
  berlin: (year) => [
    dayOf(year, 1, 1),
    dayOf(year, 3, 8),
    ...[-2, 1, 39, 50].map((offset) => easter(year) + offset * dayMs),
    dayOf(year, 5, 1),
    // Once, 80 years after the end of the war.
    ...(year === 2025 ? [dayOf(year, 5, 8)] : []),
    dayOf(year, 10, 3),
    dayOf(year, 12, 25),
    dayOf(year, 12, 26),
  ],
  newYork: (year) => [
    ...observed(dayOf(year, 1, 1)),
    nth(year, 1, monday, 3),
    nth(year, 2, monday, 3),
    lastOf(year, 5, monday),
    ...observed(dayOf(year, 6, 19)),
    ...observed(dayOf(year, 7, 4)),
    nth(year, 9, monday, 1),
    nth(year, 10, monday, 2),
    ...observed(dayOf(year, 11, 11)),
    nth(year, 11, thursday, 4),
    ...observed(dayOf(year, 12, 25)),
  ],
};

function dayOf(year: number, month: number, day: number): number {
  return Date.UTC(year, month - 1, day);
}

const weekdayOf = (day: number) => new Date(day).getUTCDay();

/** The nth weekday (0 is Sunday) of a month. */
function nth(year: number, month: number, weekday: number, n: number): number {
  const first = dayOf(year, month, 1);
  return first + (((weekday - weekdayOf(first) + 7) % 7) + (n - 1) * 7) * dayMs;
}

function lastOf(year: number, month: number, weekday: number): number {
  const last = dayOf(year, month + 1, 0);
  return last - ((weekdayOf(last) - weekday + 7) % 7) * dayMs;
}

function movedToMonday(day: number): number {
  if (weekdayOf(day) === saturday) return day + 2 * dayMs;
  return weekdayOf(day) === sunday ? day + dayMs : day;
}

function withMondayAfter(day: number): number[] {
  return [day, movedToMonday(day)];
}

/** Victoria: each of the two days that falls on a weekend gives a working day after it. */
function christmas(year: number): number[] {
  const [first, second] = [dayOf(year, 12, 25), dayOf(year, 12, 26)];
  const isWeekend = (day: number) => weekdayOf(day) === saturday || weekdayOf(day) === sunday;
  const substitutes = [first, second].filter(isWeekend).map((day) => day + 2 * dayMs);
  return [first, second, ...substitutes];
}

/** Federal: the Friday before a Saturday, the Monday after a Sunday. */
function observed(day: number): number[] {
  if (weekdayOf(day) === saturday) return [day - dayMs, day];
  return weekdayOf(day) === sunday ? [day, day + dayMs] : [day];
}

/** Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher). */
function easter(year: number): number {
  const golden = year % 19;
  const century = Math.floor(year / 100);
  const yearOfCentury = year % 100;
  const correction = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3);
  const moon = (19 * golden + century - Math.floor(century / 4) - correction + 15) % 30;
  const weekday = (32 + 2 * (century % 4) + 2 * Math.floor(yearOfCentury / 4) - moon - (yearOfCentury % 4)) % 7;
  const shift = Math.floor((golden + 11 * moon + 22 * weekday) / 451);
  const month = Math.floor((moon + weekday - 7 * shift + 114) / 31);
  return dayOf(year, month, ((moon + weekday - 7 * shift + 114) % 31) + 1);
}
