const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * A time of RFC 3339 as ISO-8601 UTC with microseconds (what Postgres keeps), or null when the text is none,
 * names a day or time that does not exist, or lies outside the years 1 to 9999.
 */
export function parseDateTime(text: string): string | null {
  const match = rfc3339.exec(text);
  if (!match) return null;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const wall = new Date(0);
  wall.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (wall.getUTCMonth() !== Number(month) - 1 || wall.getUTCDate() !== Number(day)) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  const offset = offsetMinutes(zone);
  if (offset === null) return null;
  const utc = new Date(wall.getTime() + ((Number(hour) * 60 + Number(minute) - offset) * 60 + Number(second)) * 1000);
  if (utc.getUTCFullYear() < 1 || utc.getUTCFullYear() > 9999) return null;
  return `${utc.toISOString().slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
}

/** Postgres' text of a timestamptz in UTC (`2026-11-21 03:05:13.5+00`) as ISO-8601; a Date likewise. */
export function formatDateTime(value: string | Date): string {
  if (value instanceof Date) return value.toISOString();
  return value.endsWith('+00') ? `${value.slice(0, 10)}T${value.slice(11, -3)}Z` : value;
}

/** Milliseconds since 1970 of an ISO time or of Postgres' text; microseconds are cut. */
export function epochMs(value: string): number {
  return Date.parse(formatDateTime(value));
}

/** epochMs, but rounded up: of rows kept to the millisecond, those from a time on are those from this one on. */
export function ceilEpochMs(value: string): number {
  return /\.\d{3}0*[1-9]/.test(value) ? epochMs(value) + 1 : epochMs(value);
}

function offsetMinutes(zone: string): number | null {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}
