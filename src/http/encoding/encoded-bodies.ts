import { LRUCache } from 'lru-cache';
import { ownBytes } from '../../own-bytes.ts';
import type { Compression } from './accept-encoding.ts';
import { compress } from './compress.ts';

/** Beside a body and its tag. */
const entryBytes = 300;
const defaultMaxBytes = 32 * 1024 * 1024;

/**
 * Compressed bodies, bounded in bytes, the least recently used first to go. They are found by the ETag of their form,
 * which is a hash of what they were made of: so an answer that is made anew and comes out the same is not compressed again,
 * and nothing here has to be dropped when data change.
 */
export class EncodedBodies {
  readonly #bodies: LRUCache<string, Buffer>;
  /** Those who come meanwhile wait for the same work. */
  readonly #underway = new Map<string, Promise<Buffer>>();

  constructor(maxBytes = defaultMaxBytes) {
    this.#bodies = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (body, etag) => body.length + etag.length + entryBytes,
    });
  }

  get count(): number {
    return this.#bodies.size;
  }

  get bytes(): number {
    return this.#bodies.calculatedSize;
  }

  /** The body in a coding, at once when it was asked for before. @param etag of this form of the body */
  find(etag: string, body: Uint8Array, encoding: Compression): Buffer | Promise<Buffer> {
    return this.#bodies.get(etag) ?? this.#underway.get(etag) ?? this.#make(etag, body, encoding);
  }

  #make(etag: string, body: Uint8Array, encoding: Compression): Promise<Buffer> {
    const made = compress(body, encoding)
      .then((encoded) => {
        const kept = ownBytes(encoded);
        this.#bodies.set(etag, kept);
        return kept;
      })
      .finally(() => this.#underway.delete(etag));
    this.#underway.set(etag, made);
    return made;
  }
}
