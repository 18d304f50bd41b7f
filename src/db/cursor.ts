import { crc32 } from 'node:zlib';
import { isUuid } from './id.ts';
import { formatDateTime, parseDateTime } from './time.ts';

/** What a part of a cursor may look like; SQL casts it to this type, so nothing else may reach the statement. */
export type KeyType = 'timestamptz' | 'uuid' | 'text' | 'integer';

const isOfType: Record<KeyType, (value: string) => boolean> = {
  timestamptz: (value) => value === '-infinity' || isPostgresTime(value),
  uuid: isUuid,
  text: (value) => value.length <= 2000 && !value.includes('\0'),
  integer: (value) => /^-?\d{1,9}$/.test(value),
};

/**
 * An opaque position in one order: the values of the order's columns, the key last.
 * `scope` names list and order; the checksum over both makes a cursor of another list, or one changed by hand, an error
 * instead of a wrong page. It is no secret: a forged cursor is only a position in the viewer's own rows.
 */
export function encodeCursor(scope: string, key: readonly string[]): string {
  return seal(scope, JSON.stringify(key));
}

/** The values of a cursor, or null when it is not one of this list and order. */
export function decodeCursor(scope: string, types: readonly KeyType[], cursor: string): string[] | null {
  if (cursor.length > 8192) return null;
  const body = Buffer.from(cursor, 'base64url').toString().slice(checksumLength);
  // Compared as a whole: base64url has several spellings of the same bytes.
  if (seal(scope, body) !== cursor) return null;
  const key = parseJson(body);
  if (!Array.isArray(key) || key.length !== types.length) return null;
  return key.every((value, index) => typeof value === 'string' && isOfType[types[index]!](value)) ? key : null;
}

const checksumLength = 8;

function seal(scope: string, body: string): string {
  const checksum = crc32(body, crc32(scope)).toString(16).padStart(checksumLength, '0');
  return Buffer.from(`${checksum}${body}`).toString('base64url');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whether Postgres could have written it: a day of the 31st of February would be an error in the statement. */
function isPostgresTime(value: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/.test(value) && parseDateTime(formatDateTime(value)) !== null
  );
}
