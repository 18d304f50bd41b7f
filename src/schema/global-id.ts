import { isUuid } from '../db/id.ts';
import { badUserInput } from '../errors.ts';

/**
 * Global ids are opaque to clients: base64url of `Type:key`. btoa takes 50 ns, a Buffer 160; its alphabet differs from
 * base64url's in what six set bits, or five, stand for, which letters, digits and `:-_./` never make.
 * @throws DOMException for a key beyond Latin-1, TypeError for one with other characters
 */
export function encodeGlobalId(typename: string, key: string): string {
  const text = `${typename}:${key}`;
  return withoutPadding(btoa(text), text.length);
}

function withoutPadding(base64: string, bytes: number): string {
  const rest = bytes % 3;
  return rest === 0 ? base64 : base64.slice(0, rest - 3);
}

/** The type and key of a global id, or null when the text is none. */
export function parseGlobalId(id: string): { typename: string; key: string } | null {
  if (id.length > 512 || !/^[\w-]+$/.test(id)) return null;
  const text = Buffer.from(id, 'base64url').toString();
  const match = /^([A-Z][A-Za-z]*):([\w./-]+)$/.exec(text);
  return match ? { typename: match[1]!, key: match[2]! } : null;
}

/**
 * The UUID in a global id of one type, or of one of several.
 * @throws BAD_USER_INPUT naming `path`
 */
export function decodeId(typenames: string | readonly string[], id: string | number, path: string): string {
  const allowed = [typenames].flat();
  const parsed = parseGlobalId(String(id));
  if (parsed && allowed.includes(parsed.typename) && isUuid(parsed.key)) return parsed.key;
  const article = allowed[0] === 'Organization' ? 'an' : 'a';
  throw badUserInput({ path, message: `expected the id of ${article} ${allowed.join(' or ')}` });
}

/**
 * The key of a node whose keys are UUIDs, from its global id.
 * @throws BAD_USER_INPUT
 */
export function parseUuid(key: string): string {
  if (isUuid(key)) return key;
  throw badUserInput({ path: 'id', message: 'expected a global id' });
}
