import type { GraphQLError } from 'graphql';
import { badUserInput, publicError } from '../../errors.ts';
import { sha256Pattern } from './manifest.ts';

/** What a request says of its document. */
export type DocumentRequest =
  /** Its text, or nothing at all. */
  | { kind: 'text'; text: string | null }
  /** `documentId`, after the appendix on persisted documents of GraphQL over HTTP. */
  | { kind: 'id'; id: string }
  /** `extensions.persistedQuery` of Apollo's clients, which send the text when the hash was not known. */
  | { kind: 'hash'; hash: string; text: string | null };

interface Parameters {
  query?: unknown;
  documentId?: unknown;
  extensions?: unknown;
}

/** The most characters an id may have; longer ones are in no manifest worth having. */
const maxIdLength = 200;
/** GraphQL over HTTP: `sha256:` and the hash. */
const hashPrefix = 'sha256:';

/**
 * Reads how a request names its document. A text that is none is left to the check of parameters that follows.
 * @throws BAD_USER_INPUT naming the parameter: an id or a hash of another form, or two ways at once
 */
export function readDocumentRequest({ query, documentId, extensions }: Parameters): DocumentRequest {
  const text = typeof query === 'string' ? query : null;
  const hash = readHash((extensions as { persistedQuery?: unknown } | null | undefined)?.persistedQuery);
  if (documentId === undefined || documentId === null) {
    return hash === null ? { kind: 'text', text } : { kind: 'hash', hash, text };
  }
  if (typeof documentId !== 'string' || documentId === '' || documentId.length > maxIdLength) {
    throw wrong('documentId', `expected a text of 1 to ${maxIdLength} characters`);
  }
  if (query !== undefined && query !== null) throw wrong('documentId', 'expected no query beside it');
  if (hash !== null) throw wrong('documentId', 'expected no extensions.persistedQuery beside it');
  if (!documentId.startsWith(hashPrefix)) return { kind: 'id', id: documentId };
  const id = documentId.slice(hashPrefix.length);
  if (!sha256Pattern.test(id)) throw wrong('documentId', `expected 64 hexadecimal digits in lower case after sha256:`);
  return { kind: 'id', id };
}

export function hashMismatch(): GraphQLError {
  return wrong('extensions.persistedQuery.sha256Hash', 'expected the SHA-256 of the query, got another');
}

/** With the message and the code that clients of Apollo wait for before they send the text. */
export function persistedQueryNotFound(): GraphQLError {
  return publicError('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound', {
    // A cache in front would answer it still when the document is known.
    http: { status: 404, spec: true, headers: { 'cache-control': 'no-store' } },
  });
}

export function persistedQueryOnly(): GraphQLError {
  const message = 'This server runs the operations of its own clients only: send the id of one of them';
  return publicError('PERSISTED_QUERY_ONLY', message);
}

/** null: the client does not speak of hashes. */
function readHash(given: unknown): string | null {
  if (given === undefined || given === null) return null;
  const { version, sha256Hash } = given as { version?: unknown; sha256Hash?: unknown };
  if (version !== 1) throw wrong('extensions.persistedQuery.version', 'expected 1');
  if (typeof sha256Hash === 'string' && sha256Pattern.test(sha256Hash)) return sha256Hash;
  throw wrong('extensions.persistedQuery.sha256Hash', 'expected 64 hexadecimal digits in lower case');
}

function wrong(path: string, message: string): GraphQLError {
  return badUserInput({ path, message });
}
