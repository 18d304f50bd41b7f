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

// An answer and its body as objects, with its places in the maps; and a tag with its place in a list. See answer-size.test.ts.
const entryBytes = 700;
const tagBytes = 60;

/** An answer in its place; null when it went. */
interface Entry<Answer> {
  readonly key: string;
  answer: Answer | null;
}

export class AnswerMemory<Answer extends KeptAnswer> {
  readonly #entries: LRUCache<string, Entry<Answer>>;
  readonly #listsByTag = new Map<string, TagList<Entry<Answer>>>();

  constructor({ maxBytes, onRemoval }: AnswerMemoryOptions) {
    this.#entries = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ answer }, key) => entryBytes + key.length + answer!.bytes + answer!.tags.length * tagBytes,
      dispose: (entry, _key, reason) => {
        this.#unlink(entry);
        onRemoval?.(reason === 'evict' ? 'evicted' : reason === 'set' ? 'replaced' : 'changed');
      },
    });
  }

  get count(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  get(key: string): Answer | undefined {
    return this.#entries.get(key)?.answer ?? undefined;
  }

  /** Keeps an answer in the place of an older one; one that is larger than all the space is not kept. */
  set(key: string, answer: Answer): void {
    const entry = { key, answer };
    this.#entries.set(key, entry);
    if (!this.#entries.has(key)) return;
    for (const tag of answer.tags) {
      const list = this.#listsByTag.get(tag);
      if (list) list.add(entry);
      else this.#listsByTag.set(tag, new TagList(entry));
    }
  }

  /** Forgets what was made of what changed. */
  drop(change: Change): void {
    if (change === 'all') {
      this.#entries.clear();
      return;
    }
    for (const tag of change) {
      for (const { key, answer } of this.#listsByTag.get(tag)?.entries ?? []) {
        if (answer !== null) this.#entries.delete(key);
      }
    }
  }

  #unlink(entry: Entry<Answer>): void {
    const { tags } = entry.answer!;
    entry.answer = null;
    for (const tag of tags) {
      if (this.#listsByTag.get(tag)?.noteGone() === 0) this.#listsByTag.delete(tag);
    }
  }
}

/** Lists up to this length have no space to spare: most tags are of one row, and few answers are made of it. */
const exactLength = 8;

/**
 * The answers with a tag. Those that went stay in it until they are the larger part: a Set, which gives up its space as late,
 * took 60 bytes for each answer of a tag that many have, and 150 to 230 for a tag of one or two (heap snapshot); by the sizes
 * of V8's objects this takes 8 to 24, and 100.
 */
class TagList<Kept extends { readonly answer: unknown }> {
  #entries: Kept[];
  #gone = 0;

  constructor(first: Kept) {
    this.#entries = [first];
  }

  /** Also some that went. */
  get entries(): readonly Kept[] {
    return this.#entries;
  }

  add(entry: Kept): void {
    if (this.#entries.length < exactLength) this.#entries = [...this.#entries, entry];
    else this.#entries.push(entry);
  }

  /** An answer went. @returns how many are left */
  noteGone(): number {
    this.#gone += 1;
    if (this.#gone * 2 > this.#entries.length) {
      this.#entries = this.#entries.filter(({ answer }) => answer !== null);
      this.#gone = 0;
    }
    return this.#entries.length - this.#gone;
  }
}
