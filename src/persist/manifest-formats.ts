import { createHash } from 'node:crypto';
import { apolloFormat } from '../http/trusted-documents/manifest.ts';
import type { PersistedOperation } from './persisted-operations.ts';

/** Each is read by the server; only Apollo's has room for more than ids and texts. */
export const manifestFormats = ['apollo', 'relay', 'plain'] as const;
export type ManifestFormat = (typeof manifestFormats)[number];

/** The text of a manifest, operations in the order given; Relay's ids are the MD5 of the text, as its compiler makes them. */
export function printManifest(operations: readonly PersistedOperation[], format: ManifestFormat): string {
  return `${JSON.stringify(manifestOf(operations, format), null, 2)}\n`;
}

function manifestOf(operations: readonly PersistedOperation[], format: ManifestFormat): unknown {
  if (format === 'apollo') return { format: apolloFormat, version: 1, operations };
  const idOf = format === 'relay' ? md5Of : ({ id }: PersistedOperation) => id;
  return Object.fromEntries(operations.map((operation) => [idOf(operation), operation.body]));
}

function md5Of({ body }: PersistedOperation): string {
  return createHash('md5').update(body).digest('hex');
}
