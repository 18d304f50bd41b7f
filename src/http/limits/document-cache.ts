import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';

const maxDocumentBytes = 64 * 1024 * 1024;
const maxErrorBytes = 4 * 1024 * 1024;
/** The node and the place of a parsed token, and what is compiled for it: 363 bytes measured without the latter. */
export const bytesPerToken = 600;

/**
 * The parser's caches, bounded by what they hold: Yoga's own keep 1,024 documents, which of 2,000 tokens each are 874
 * MiB. A document that is mostly comment or text fills its share by its length.
 */
export function createDocumentCaches() {
  return {
    documentCache: new LRUCache<string, DocumentNode>({
      maxSize: maxDocumentBytes,
      maxEntrySize: maxDocumentBytes / 32,
      sizeCalculation: ({ tokenCount = 0 }, text) => tokenCount * bytesPerToken + bytesOf(text),
    }),
    errorCache: new LRUCache<string, Error>({
      maxSize: maxErrorBytes,
      maxEntrySize: maxErrorBytes / 16,
      sizeCalculation: (_error, text) => bytesOf(text),
    }),
  };
}

/** At most two bytes a character, and the entry itself. */
function bytesOf(text: string): number {
  return text.length * 2 + 500;
}
