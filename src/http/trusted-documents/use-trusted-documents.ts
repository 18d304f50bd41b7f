import { getOperationAST } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { Viewer } from '../../context.ts';
import type { OperationNames } from '../operation-names.ts';
import {
  type DocumentRequest,
  hashMismatch,
  persistedQueryNotFound,
  persistedQueryOnly,
  readDocumentRequest,
} from './document-request.ts';
import { sha256Of, sha256Pattern } from './manifest.ts';
import { createRegisteredDocuments, type RegisteredDocuments } from './registered-documents.ts';
import type { TrustedDocuments } from './trusted-documents.ts';

/** What happens to an operation that is not in the manifest; `log`: it runs, and is counted and logged. */
export type TrustMode = 'off' | 'log' | 'only';

/** Who may make a document known by its hash (Apollo's automatic persisted queries). */
export type DocumentRegistration = 'everyone' | 'viewers' | 'off';

export interface TrustedDocumentsPluginOptions {
  documents: TrustedDocuments;
  mode: TrustMode;
  /** Of no effect where only trusted documents run. */
  registration: DocumentRegistration;
  /** Where they are kept. Default: in this process. */
  registered?: RegisteredDocuments;
  /** Learns the names of trusted operations. Default: nobody does. */
  operationNames?: Pick<OperationNames, 'add'> | undefined;
  log: Logger;
  registry: Registry;
}

/** A document that will run although the manifest does not have it. */
interface Untrusted {
  text: string;
  /** Its checked hash, when the client sent both to have it registered. */
  hash: string | null;
}

/** Operations that are logged once each; later ones are only counted. */
const maxLoggedOperations = 1_000;

/**
 * Puts the text in the place of a document's id, and keeps operations that are not trusted from running where the
 * server is told so: before they are parsed. A text that is in the manifest is trusted without its id. What clients
 * register is kept when it is about to run, so that only valid documents take up room.
 */
export function useTrustedDocuments(options: TrustedDocumentsPluginOptions): Plugin<{ viewer?: Viewer | null }> {
  const { documents, mode, registration, operationNames, log, registry } = options;
  const registered = isRegistering(options) ? (options.registered ?? createRegisteredDocuments()) : null;
  const untrusted = new WeakMap<Request, Untrusted>();
  const untrustedTotal = createUntrustedCounter(registry);
  const logOnce = createLogOnce(log);

  /** The text that stands for an id; null: nobody knows it. */
  const find = (id: string) =>
    documents.find(id)?.body ?? (registered && sha256Pattern.test(id) ? registered.get(id) : null);

  const textOf = (asked: DocumentRequest): string | null | Promise<string> => {
    if (asked.kind === 'text') return asked.text;
    if (asked.kind === 'id') return orNotFound(find(asked.id));
    const { hash, text } = asked;
    if (text === null) return orNotFound(find(hash));
    if (documents.find(hash)?.body !== text && sha256Of(text) !== hash) throw hashMismatch();
    return text;
  };

  const keep = ({ hash, text }: Untrusted, viewer: Viewer | null | undefined) => {
    if (hash !== null && (registration !== 'viewers' || viewer)) registered?.set(hash, text);
  };

  return {
    onParams({ params, request, setParams }) {
      if (typeof params !== 'object' || params === null) return;
      const asked = readDocumentRequest(params);
      const take = (text: string | null) => {
        if (text !== null && !documents.has(text)) {
          if (mode === 'only') {
            untrustedTotal.inc();
            throw persistedQueryOnly();
          }
          untrusted.set(request, { text, hash: asked.kind === 'hash' ? asked.hash : null });
        }
        if (asked.kind === 'text') return;
        const { documentId: _documentId, ...others } = params as GraphQLParams & { documentId?: unknown };
        setParams({ ...others, query: text } as GraphQLParams);
      };
      const text = textOf(asked);
      return text instanceof Promise ? text.then(take) : take(text);
    },
    onExecute({ args, context: { request, viewer } }) {
      const found = untrusted.get(request);
      const name = getOperationAST(args.document, args.operationName)?.name?.value;
      if (!found) {
        if (name !== undefined) operationNames?.add(name);
        return;
      }
      keep(found, viewer);
      if (mode !== 'log') return;
      untrustedTotal.inc();
      logOnce(found, name);
    },
  };
}

/** Whether clients may register documents. */
export function isRegistering({
  mode,
  registration,
}: Pick<TrustedDocumentsPluginOptions, 'mode' | 'registration'>): boolean {
  return mode !== 'only' && registration !== 'off';
}

function orNotFound(text: string | null | Promise<string | null>): string | Promise<string> {
  if (text instanceof Promise) return text.then(orNotFound);
  if (text === null) throw persistedQueryNotFound();
  return text;
}

/** Logs each text once, up to a number of them: a client that makes up new ones must not fill the log. */
function createLogOnce(log: Logger) {
  const seen = new Set<string>();
  return ({ text, hash }: Untrusted, operation = '') => {
    if (seen.size >= maxLoggedOperations) return;
    const sha256 = hash ?? sha256Of(text);
    if (seen.has(sha256)) return;
    seen.add(sha256);
    log.warn({ sha256, operation: operation.slice(0, 100) }, 'an operation that is not a trusted document');
    if (seen.size === maxLoggedOperations) {
      log.warn({ operations: seen.size }, 'further operations that are not trusted documents are counted only');
    }
  };
}

function createUntrustedCounter(registry: Registry): Counter {
  return new Counter({
    name: 'tributary_untrusted_operations_total',
    help: 'Operations that are not trusted documents: run where they are only logged, refused where they must be trusted.',
    registers: [registry],
  });
}
