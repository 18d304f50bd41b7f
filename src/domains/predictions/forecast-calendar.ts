/** A site's local time: hour of the day, weekday, day of the year and date, daylight saving included. Pure. */

export interface LocalTime {
  /** 0 up to but not including 24; fractional within the hour. */
  hourOfDay: number;
  /** 0 is Sunday. */
  dayOfWeek: number;
  /** 0 is 1 January. */
  dayOfYear: number;
}

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const formatters = new Map<string, Intl.DateTimeFormat>();

/** Local time at an instant in an IANA time zone; a RangeError for an unknown zone. */
export function toLocalTime(utcMs: number, timeZone: string): LocalTime {
  const localMs = utcMs + zoneOffsetMs(utcMs, timeZone);
  const local = new Date(localMs);
  return {
    hourOfDay: (localMs - Math.floor(localMs / dayMs) * dayMs) / hourMs,
    dayOfWeek: local.getUTCDay(),
    dayOfYear: Math.floor((localMs - Date.UTC(local.getUTCFullYear(), 0, 1)) / dayMs),
  };
}

/** For each instant (ascending) whether its local date is one of the dates (ISO 8601, such as "2014-12-25"). */
export function flagLocalDates(
  instantsUtcMs: readonly number[],
  timeZone: string,
  dates: ReadonlySet<string>,
): boolean[] {
  if (dates.size === 0 || instantsUtcMs.length === 0) return instantsUtcMs.map(() => false);
  const firstOffset = zoneOffsetMs(instantsUtcMs[0]!, timeZone);
  const lastOffset = zoneOffsetMs(instantsUtcMs.at(-1)!, timeZone);
  return instantsUtcMs.map((utcMs) => {
    const offset = firstOffset === lastOffset ? firstOffset : zoneOffsetMs(utcMs, timeZone);
    return dates.has(new Date(utcMs + offset).toISOString().slice(0, 10));
  });
}

/** Local time minus UTC at an instant. */
function zoneOffsetMs(utcMs: number, timeZone: string): number {
  const wholeSeconds = Math.floor(utcMs / 1000) * 1000;
  const values: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const part of formatterOf(timeZone).formatToParts(wholeSeconds)) values[part.type] = Number(part.value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = values;
  return Date.UTC(year, month - 1, day, hour, minute, second) - wholeSeconds;
}

// Making a formatter takes some 50 us, using it 2 us. Only valid zones get here, of which there are about 600.
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known !== undefined) return known;
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formatters.set(timeZone, formatter);
  return formatter;
}
