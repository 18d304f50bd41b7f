import { v7 } from 'uuid';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/**
 * A new id: UUIDv7, greater than every id this process made before, so that ids sort by the time they were made.
 * (node:crypto's randomUUIDv7 is in random order within a millisecond: half of 100,000 in a row were not greater.)
 */
export function newId(): string {
  return v7();
}

/** A UUIDv7 whose time is `epochMs`, for rows that bring a time of their own; `sequence` orders those of one millisecond. */
export function idAt(epochMs: number, sequence = 0): string {
  return v7({ msecs: epochMs, seq: sequence });
}

/** The least id of a millisecond: rows since a time are the ids from it on. */
export function firstIdAt(epochMs: number): string {
  const hex = Math.max(0, Math.floor(epochMs)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The time in a UUIDv7, in milliseconds since 1970. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
