/** What a process keeps of answers, bounded in bytes, the least recently used first to go; found again by what changed. */
import { LRUCache } from 'lru-cache';
import type { Change } from './invalidation-log.ts';

export interface KeptAnswer {
  /** What it was made of: it goes when one of them changes. */
  readonly tags: readonly string[];
  /** Of all it holds. */
  readonly bytes: number;
}

/** Why an answer went: it was too old for the space, replaced, or made of what changed. */
export type Removal = 'evicted' | 'replaced' | 'changed';

export interface AnswerMemoryOptions {
  /** Of all answers, keys and tags together. */
  readonly maxBytes: number;
  readonly onRemoval?: (removal: Removal) => void;
}

// An entry with its places in the maps; and a tag with its place in one set, as long as others have the same tag.
const entryBytes = 400;
const tagBytes = 100;

export class AnswerMemory<Answer extends KeptAnswer> {
  readonly #answers: LRUCache<string, Answer>;
  readonly #keysByTag = new Map<string, Set<string>>();

  constructor({ maxBytes, onRemoval }: AnswerMemoryOptions) {
    this.#answers = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ bytes, tags }, key) => entryBytes + key.length + bytes + tags.length * tagBytes,
      dispose: (answer, key, reason) => {
        this.#unlink(key, answer);
        onRemoval?.(reason === 'evict' ? 'evicted' : reason === 'set' ? 'replaced' : 'changed');
      },
    });
  }

  get count(): number {
    return this.#answers.size;
  }

  get bytes(): number {
    return this.#answers.calculatedSize;
  }

  get(key: string): Answer | undefined {
    return this.#answers.get(key);
  }

  /** Keeps an answer in the place of an older one; one that is larger than all the space is not kept. */
  set(key: string, answer: Answer): void {
    this.#answers.set(key, answer);
    if (!this.#answers.has(key)) return;
    for (const tag of answer.tags) {
      const keys = this.#keysByTag.get(tag);
      if (keys) keys.add(key);
      else this.#keysByTag.set(tag, new Set([key]));
    }
  }

  /** Forgets what was made of what changed. */
  drop(change: Change): void {
    if (change === 'all') {
      this.#answers.clear();
      return;
    }
    for (const tag of change) {
      for (const key of this.#keysByTag.get(tag) ?? []) this.#answers.delete(key);
    }
  }

  #unlink(key: string, { tags }: Answer): void {
    for (const tag of tags) {
      const keys = this.#keysByTag.get(tag);
      if (keys?.delete(key) && keys.size === 0) this.#keysByTag.delete(tag);
    }
  }
}
