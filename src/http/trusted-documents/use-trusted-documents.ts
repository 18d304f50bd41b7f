import { getOperationAST } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { Viewer } from '../../context.ts';
import {
  type DocumentRequest,
  hashMismatch,
  persistedQueryNotFound,
  persistedQueryOnly,
  readDocumentRequest,
} from './document-request.ts';
import { sha256Of } from './manifest.ts';
import { createRegisteredDocuments, type RegisteredDocumentsOptions } from './registered-documents.ts';
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
  /** How many documents may be registered. */
  registered?: RegisteredDocumentsOptions;
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
  const { documents, mode, registration, log, registry } = options;
  const registered = createRegisteredDocuments(options.registered);
  const untrusted = new WeakMap<Request, Untrusted>();
  const untrustedTotal = createUntrustedCounter(registry);
  const logOnce = createLogOnce(log);

  const textOf = (asked: DocumentRequest): string | null => {
    if (asked.kind === 'text') return asked.text;
    if (asked.kind === 'id') {
      const known = documents.find(asked.id)?.body ?? registered.get(asked.id);
      if (known === null) throw persistedQueryNotFound();
      return known;
    }
    const known = documents.find(asked.hash)?.body ?? registered.get(asked.hash);
    if (asked.text === null && known === null) throw persistedQueryNotFound();
    if (asked.text !== null && asked.text !== known && sha256Of(asked.text) !== asked.hash) throw hashMismatch();
    return known ?? asked.text;
  };

  const keep = ({ hash, text }: Untrusted, viewer: Viewer | null | undefined) => {
    if (hash === null || registration === 'off' || (registration === 'viewers' && !viewer)) return;
    registered.set(hash, text);
  };

  return {
    onParams({ params, request, setParams }) {
      if (typeof params !== 'object' || params === null) return;
      const asked = readDocumentRequest(params);
      const text = textOf(asked);
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
    },
    onExecute({ args, context: { request, viewer } }) {
      const found = untrusted.get(request);
      if (!found) return;
      keep(found, viewer);
      if (mode !== 'log') return;
      untrustedTotal.inc();
      logOnce(found, getOperationAST(args.document, args.operationName)?.name?.value);
    },
  };
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
