import type { IncomingMessage } from 'node:http';
import { readDocumentPath } from '../trusted-documents/document-path.ts';
import { readDocumentRequest } from '../trusted-documents/document-request.ts';
import { sha256Pattern } from '../trusted-documents/manifest.ts';
import type { RegisteredDocuments } from '../trusted-documents/registered-documents.ts';
import type { TrustedDocuments } from '../trusted-documents/trusted-documents.ts';
import type { TrustMode } from '../trusted-documents/use-trusted-documents.ts';
import { parseBody, readUrl } from '../use-request-params.ts';

/** What a request asks for. */
export interface Asked {
  readonly text: string;
  readonly operationName: string | null;
  /** As the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whether the text is in the manifest. */
  readonly isTrusted: boolean;
}

export interface AskedOptions {
  readonly documents: TrustedDocuments;
  readonly mode: TrustMode;
  /** null: nothing is registered. */
  readonly registered: Pick<RegisteredDocuments, 'known'> | null;
}

const parameters = new Set(['query', 'documentId', 'operationName', 'variables', 'extensions']);

/**
 * Reads a request; its document is looked up each time, as the manifest and what is registered may have changed.
 * @param body null: the URL says what is asked
 * @returns null where the long way has more to do than to run it: something is wrong, unknown, to be registered or counted
 * @throws what the readers of parameters do, where the long way says what is wrong
 */
export function readAsked(
  { url = '' }: IncomingMessage,
  body: Buffer | null,
  { documents, mode, registered }: AskedOptions,
): Asked | null {
  const given: unknown = body === null ? readUrl(readDocumentPath(url) ?? url) : parseBody(body);
  if (!isRecord(given)) return null;
  for (const name in given) if (!parameters.has(name)) return null;
  const { operationName = null, variables = null, extensions = null } = given;
  if (operationName !== null && (typeof operationName !== 'string' || operationName === '')) return null;
  if ((variables !== null && !isRecord(variables)) || (extensions !== null && !isRecord(extensions))) return null;
  const text = textOf(given, documents, registered);
  if (text === null) return null;
  const isTrusted = documents.has(text);
  return mode !== 'off' && !isTrusted ? null : { text, operationName, variables: variables ?? {}, isTrusted };
}

function textOf(
  given: Record<string, unknown>,
  documents: TrustedDocuments,
  registered: AskedOptions['registered'],
): string | null {
  const { query, documentId, extensions } = given;
  // Nearly always, and at no cost.
  if (documentId == null && extensions == null) return typeof query === 'string' ? query : null;
  const asked = readDocumentRequest(given);
  if (asked.kind === 'text') return asked.text;
  // The text beside its hash is there to be registered.
  if (asked.kind === 'hash' && asked.text !== null) return null;
  const id = asked.kind === 'id' ? asked.id : asked.hash;
  return documents.find(id)?.body ?? (sha256Pattern.test(id) ? (registered?.known(id) ?? null) : null);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
