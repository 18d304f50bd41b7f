/** The files that trusted documents come in: Apollo's manifest, Relay's persisted map, and a plain map of ids. */
import { createHash } from 'node:crypto';

/** A document that clients may name instead of sending it. */
export interface TrustedDocument {
  /** Its key in the manifest. */
  readonly id: string;
  /** Of the body in UTF-8: 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  readonly body: string;
  /** Variables to run it with at the start of a server; absent: none. */
  readonly warmUp?: readonly Readonly<Record<string, unknown>>[];
}

/** A document as a manifest has it. */
export interface ManifestEntry extends TrustedDocument {
  /** All that the manifest says of it; of a plain one its id and its body. */
  readonly operation: Readonly<Record<string, unknown>>;
}

/** What a manifest of Apollo says it is, in `format`. */
export const apolloFormat = 'apollo-persisted-query-manifest';

export const sha256Pattern = /^[0-9a-f]{64}$/;

/** The SHA-256 of a text in UTF-8, in hexadecimal. */
export function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Reads a manifest: `{ format: "apollo-persisted-query-manifest", version: 1, operations: [{ id, body }] }`, or
 * `{ [id]: text }` as relay-compiler writes it, in the order of the file. An operation may have a `warmUp:
 * [{ variables }]`; its other keys are passed over.
 * @throws Error that says where the manifest is wrong, and what is expected there
 */
export function parseManifest(text: string): TrustedDocument[] {
  return readManifest(text).map(({ operation: _operation, ...document }) => document);
}

/** As parseManifest, with all that the manifest says of each document. */
export function readManifest(text: string): ManifestEntry[] {
  const manifest = parseJson(text);
  if (!isRecord(manifest)) throw new Error(`expected an object of ids and documents, got ${kindOf(manifest)}`);
  const entries = manifest.format === apolloFormat ? apolloEntries(manifest) : plainEntries(manifest);
  const byId = new Map<string, ManifestEntry>();
  for (const { place, operation } of entries) {
    const entry = entryOf(place, operation);
    const { id, sha256, body } = entry;
    // Such an id would answer for a document that a client can check, and that is another one.
    if (sha256Pattern.test(id) && id !== sha256) {
      throw new Error(`${place}: the id looks like a SHA-256, but that of the document is ${sha256}`);
    }
    if ((byId.get(id) ?? entry).body !== body) {
      throw new Error(`${place}: the id ${JSON.stringify(id)} has another document before`);
    }
    byId.set(id, entry);
  }
  return [...byId.values()];
}

interface PlacedOperation {
  place: string;
  operation: Record<string, unknown>;
}

function apolloEntries({ version, operations }: Record<string, unknown>): PlacedOperation[] {
  if (version !== 1) throw new Error(`version: expected 1, got ${JSON.stringify(version)}`);
  if (!Array.isArray(operations)) throw new Error(`operations: expected a list, got ${kindOf(operations)}`);
  return operations.map((operation: unknown, index) => {
    const place = `operations.${index}`;
    if (!isRecord(operation)) throw new Error(`${place}: expected an object, got ${kindOf(operation)}`);
    return { place, operation };
  });
}

function plainEntries(manifest: Record<string, unknown>): PlacedOperation[] {
  return Object.entries(manifest).map(([id, body]) => ({ place: JSON.stringify(id), operation: { id, body } }));
}

function entryOf(place: string, operation: Record<string, unknown>): ManifestEntry {
  // Of a plain manifest the place is the id, and what it holds the body.
  const within = (key: string) => (place.startsWith('"') ? place : `${place}.${key}`);
  const id = textOf(operation.id, within('id'));
  const body = textOf(operation.body, within('body'));
  const warmUp = warmUpOf(operation.warmUp, within('warmUp'));
  return { id, sha256: sha256Of(body), body, ...(warmUp.length > 0 && { warmUp }), operation };
}

function warmUpOf(given: unknown, place: string): Record<string, unknown>[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw new Error(`${place}: expected a list, got ${kindOf(given)}`);
  return given.map((each: unknown, index) => {
    const variables = isRecord(each) ? each.variables : undefined;
    if (isRecord(variables)) return variables;
    throw new Error(`${place}.${index}.variables: expected an object, got ${kindOf(variables)}`);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`expected JSON: ${(error as Error).message}`);
  }
}

function textOf(value: unknown, place: string): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw new Error(`${place}: expected a text that is not empty, got ${value === '' ? 'an empty one' : kindOf(value)}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
}
