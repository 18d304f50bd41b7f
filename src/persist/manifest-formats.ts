import { createHash } from 'node:crypto';
import { apolloFormat, sha256Of } from '../http/trusted-documents/manifest.ts';
import type { PersistedOperation } from './persisted-operations.ts';

/** Each is read by the server; only Apollo's has room for more than ids and texts. */
export const manifestFormats = ['apollo', 'relay', 'plain'] as const;
export type ManifestFormat = (typeof manifestFormats)[number];

/** The id of a text: the SHA-256 of it, but for Relay, whose compiler takes the MD5. */
export function documentIdOf(body: string, format: ManifestFormat): string {
  return format === 'relay' ? createHash('md5').update(body).digest('hex') : sha256Of(body);
}

/** The text of a manifest, operations in the order given. */
export function printManifest(operations: readonly PersistedOperation[], format: ManifestFormat): string {
  return `${JSON.stringify(manifestOf(operations, format), null, 2)}\n`;
}

function manifestOf(operations: readonly PersistedOperation[], format: ManifestFormat): unknown {
  if (format === 'apollo') return { format: apolloFormat, version: 1, operations };
  return Object.fromEntries(operations.map(({ id, body }) => [id, body]));
}
