import { LRUCache } from 'lru-cache';

/** Documents that clients have registered by their SHA-256; the longest unused make room. */
export interface RegisteredDocuments {
  readonly size: number;
  /** null: none, or none any more. */
  get(hash: string): string | null;
  /** The hash must have been checked. A document larger than a hundredth of the room is not kept. */
  set(hash: string, text: string): void;
}

export interface RegisteredDocumentsOptions {
  /** Default: 10,000. */
  maxEntries?: number;
  /** Of texts, hashes and entries. Default: 16 MiB. */
  maxBytes?: number;
}

/** The entry itself and its hash. */
const entryBytes = 300;

export function createRegisteredDocuments(options: RegisteredDocumentsOptions = {}): RegisteredDocuments {
  const { maxEntries = 10_000, maxBytes = 16 * 1024 * 1024 } = options;
  const cache = new LRUCache<string, string>({
    max: maxEntries,
    maxSize: maxBytes,
    maxEntrySize: Math.ceil(maxBytes / 100),
    // At most two bytes a character.
    sizeCalculation: (text) => text.length * 2 + entryBytes,
  });
  return {
    get size() {
      return cache.size;
    },
    get: (hash) => cache.get(hash) ?? null,
    set: (hash, text) => {
      cache.set(hash, text);
    },
  };
}
