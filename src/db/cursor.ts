import { crc32 } from 'node:zlib';

/** What a part of a cursor may look like; SQL casts it to this type, so nothing else may reach the statement. */
export type KeyType = 'timestamptz' | 'uuid' | 'text' | 'integer';

const patterns: Record<KeyType, RegExp> = {
  timestamptz: /^(\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00|-infinity)$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Postgres has no NUL in text
  text: /^[^\u0000]{0,2000}$/u,
  integer: /^-?\d{1,9}$/,
};

/**
 * An opaque position in one order: the values of the order's columns, the key last.
 * `scope` names list and order; the checksum over both makes a cursor of another list, or one changed by hand, an error
 * instead of a wrong page. It is no secret: a forged cursor is only a position in the viewer's own rows.
 */
export function encodeCursor(scope: string, key: readonly string[]): string {
  const body = JSON.stringify(key);
  return Buffer.from(`${checksum(scope, body)}${body}`).toString('base64url');
}

/** The values of a cursor, or null when it is not one of this list and order. */
export function decodeCursor(scope: string, types: readonly KeyType[], cursor: string): string[] | null {
  if (cursor.length > 8192 || !/^[\w-]+$/.test(cursor)) return null;
  const text = Buffer.from(cursor, 'base64url').toString();
  const body = text.slice(8);
  if (text.slice(0, 8) !== checksum(scope, body)) return null;
  const key: unknown = JSON.parse(body);
  if (!Array.isArray(key) || key.length !== types.length) return null;
  return key.every((value, index) => typeof value === 'string' && patterns[types[index]!].test(value)) ? key : null;
}

function checksum(scope: string, body: string): string {
  return crc32(body, crc32(scope)).toString(16).padStart(8, '0');
}
