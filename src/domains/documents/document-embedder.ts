import { setTimeout as pause } from 'node:timers/promises';
import { GraphQLError } from 'graphql';
import type { Database } from '../../db/database.ts';
import type { InferenceEngine, LoadedVersion } from '../../inference/engine.ts';
import type { PredictionSink } from '../../inference/prediction-sink.ts';
import { embeddingKey, listEmbeddingVersions } from '../predictions/embed-texts.ts';
import { embedDocument } from './embed-document.ts';
import {
  claimUnembeddedDocuments,
  deletePassagesOfOtherVersions,
  type EmbeddedPassages,
  listOrganizationsOfOtherVersions,
  storePassages,
  type UnembeddedDocument,
} from './queries/passage.ts';

export interface DocumentEmbedderOptions {
  /** Of all organizations: it works for nobody's request. */
  database: Database;
  inference: InferenceEngine;
  predictions: PredictionSink;
  /** Told of what fails but for a lack of room, which is not worth a word: it tries again. Must not throw. */
  onError(error: unknown): void;
  /** How long it rests when nothing is left to do, and after a failure. Default: 5,000. */
  pollMs?: number;
}

export interface DocumentEmbedder {
  /** Looks for work now, and from then on. */
  start(): void;
  /** Resolves when the pass under way has ended: what it has embedded is stored. Safe to call twice. */
  close(): Promise<void>;
}

const documentsPerPass = 50;
// Some 0.7 s of a worker: so long a pass keeps its documents, and a connection.
const passagesPerPass = 512;
const retryMs = 60_000;

/**
 * Embeds the documents that the serving version of the embedding model has not embedded: those that an upload could not,
 * and all of them when the version changes. Several processes share the work. What the version before has embedded goes
 * when an organization has all of its documents by the new one.
 */
export function createDocumentEmbedder(options: DocumentEmbedderOptions): DocumentEmbedder {
  return new BackgroundEmbedder(options);
}

/** What a pass has made of a claimed document; null: its passages were there. */
interface Embedded {
  document: UnembeddedDocument;
  passages: EmbeddedPassages | null;
}

class BackgroundEmbedder implements DocumentEmbedder {
  readonly #options: DocumentEmbedderOptions;
  readonly #pollMs: number;
  readonly #ending = new AbortController();
  /** Documents that the model fails on, by id, with the time to try again. */
  readonly #setAside = new Map<string, number>();
  /** The version that other ones were cleared away for. */
  #clearedFor: string | null = null;
  #running: Promise<void> | null = null;

  constructor(options: DocumentEmbedderOptions) {
    this.#options = options;
    this.#pollMs = options.pollMs ?? 5_000;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const stored = await this.#pass().catch((error: unknown) => {
        if (!signal.aborted) this.#options.onError(error);
        return 0;
      });
      if (stored === 0) await pause(this.#pollMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Answers how many documents it has stored. */
  async #pass(): Promise<number> {
    const version = listEmbeddingVersions(this.#options.inference)[0];
    if (!version) return 0;
    const key = embeddingKey(version);
    const stored = await this.#options.database.transaction(async (transaction) => {
      const wanted = { version: key, limit: documentsPerPass, except: this.#listSetAside() };
      const claimed = await claimUnembeddedDocuments(transaction, wanted);
      const embedded = await this.#embed(claimed, version);
      // The counts of an organization are locked from its first document on: all at once at the end, and in one order.
      embedded.sort((a, b) => (a.document.organizationId < b.document.organizationId ? -1 : 1));
      for (const { document, passages } of embedded) await storePassages(transaction, document, key, passages);
      return embedded.length;
    });
    if (stored > 0) this.#clearedFor = null;
    else if (this.#clearedFor !== key) await this.#clearOthers(key);
    return stored;
  }

  async #embed(documents: readonly UnembeddedDocument[], version: LoadedVersion): Promise<Embedded[]> {
    const { inference, predictions, onError } = this.#options;
    const context = { inference, predictions, signal: this.#ending.signal };
    const embedded: Embedded[] = [];
    let count = 0;
    for (const document of documents) {
      if (count >= passagesPerPass || this.#ending.signal.aborted) break;
      try {
        const { organizationId, hasPassages } = document;
        const made = hasPassages
          ? null
          : await embedDocument(context, organizationId, document, version, { lane: 'bulk' });
        embedded.push({ document, passages: made });
        count += made?.places.length ?? 0;
      } catch (error) {
        if (this.#ending.signal.aborted || isNoRoom(error)) break;
        this.#setAside.set(document.id, performance.now() + retryMs);
        onError(error);
      }
    }
    return embedded;
  }

  async #clearOthers(key: string): Promise<void> {
    const { database } = this.#options;
    for (const organizationId of await listOrganizationsOfOtherVersions(database, key)) {
      this.#ending.signal.throwIfAborted();
      await deletePassagesOfOtherVersions(database, organizationId, key);
    }
    this.#clearedFor = key;
  }

  #listSetAside(): string[] {
    const now = performance.now();
    for (const [id, retryAt] of this.#setAside) if (retryAt <= now) this.#setAside.delete(id);
    return [...this.#setAside.keys()];
  }
}

/** It says nothing of the document: another time will do. */
function isNoRoom(error: unknown): boolean {
  return error instanceof GraphQLError && ['OVERLOADED', 'TIMEOUT'].includes(String(error.extensions.code));
}
