import { LRUCache } from 'lru-cache';
import type { SharedDocuments } from './shared-documents.ts';

/** Documents that clients have registered by their SHA-256; the longest unused make room. */
export interface RegisteredDocuments {
  readonly size: number;
  /** null: none, or none any more. At once where this process knows it. */
  get(hash: string): string | null | Promise<string | null>;
  /** null: this process does not know it. */
  known(hash: string): string | null;
  /** The hash must have been checked. A document larger than a hundredth of the room is not kept. */
  set(hash: string, text: string): void;
}

export interface RegisteredDocumentsOptions {
  /** Default: 10,000. */
  maxEntries?: number;
  /** Of texts, hashes and entries. Default: 16 MiB. */
  maxBytes?: number;
  /** Where other processes find them. Default: nowhere. */
  shared?: SharedDocuments | undefined;
}

interface Entry {
  readonly text: string;
  /** performance.now() when the others are to be told that it is used still. */
  shareAtMs: number;
}

/** The entry itself and its hash. */
const entryBytes = 300;
/** Well within the time that others keep what nobody uses. */
const shareEveryMs = 3_600_000;
const shareAgainMs = 10_000;

export function createRegisteredDocuments(options: RegisteredDocumentsOptions = {}): RegisteredDocuments {
  const { maxEntries = 10_000, maxBytes = 16 * 1024 * 1024, shared } = options;
  const cache = new LRUCache<string, Entry>({
    max: maxEntries,
    maxSize: maxBytes,
    maxEntrySize: Math.ceil(maxBytes / 100),
    // At most two bytes a character.
    sizeCalculation: ({ text }) => text.length * 2 + entryBytes,
  });
  const add = (hash: string, text: string, shareAtMs: number) => {
    const entry = { text, shareAtMs };
    cache.set(hash, entry);
    return entry;
  };
  // Nobody waits for it: a client that another process does not know sends its text again.
  const share = async (hash: string, entry: Entry) => {
    const now = performance.now();
    if (!shared || now < entry.shareAtMs) return;
    entry.shareAtMs = now + shareEveryMs;
    if (!(await shared.keep(hash, entry.text))) entry.shareAtMs = now + shareAgainMs;
  };
  const known = (hash: string): string | null => {
    const entry = cache.get(hash);
    if (!entry) return null;
    void share(hash, entry);
    return entry.text;
  };
  return {
    get size() {
      return cache.size;
    },
    get: (hash) => known(hash) ?? (shared ? find(shared, hash) : null),
    known,
    set(hash, text) {
      if (cache.get(hash)?.text !== text) void share(hash, add(hash, text, 0));
    },
  };

  async function find(others: SharedDocuments, hash: string): Promise<string | null> {
    const text = await others.find(hash);
    if (text !== null) add(hash, text, performance.now() + shareEveryMs);
    return text;
  }
}
