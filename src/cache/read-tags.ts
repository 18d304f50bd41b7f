import type { Statement, Value } from '../db/database.ts';
import type { CacheHint } from '../schema/policy.ts';

/** What one request reads of the database, told by its statements; nothing unless its answer may be kept. */
export class ReadTags {
  #tags: Set<string> | null = null;
  #isKnown = true;
  #maxAgeSeconds = Number.POSITIVE_INFINITY;

  /** From now on what is read is noted. */
  start(): void {
    this.#tags = new Set();
  }

  /** For Bounds.onRun. */
  readonly note = (statement: Statement, values: readonly Value[]): void => {
    if (this.#tags === null) return;
    if (statement.isRead !== true || statement.readTags === undefined) this.#isKnown = false;
    else for (const tag of statement.readTags(values)) this.#tags.add(tag);
  };

  /** What a resolver finds out of its answer: it may be kept for less time than its field says, or not at all. */
  limit({ maxAgeSeconds = Number.POSITIVE_INFINITY }: Pick<CacheHint, 'maxAgeSeconds'>): void {
    this.#maxAgeSeconds = Math.min(this.#maxAgeSeconds, maxAgeSeconds);
  }

  get maxAgeSeconds(): number {
    return this.#maxAgeSeconds;
  }

  /** null: what was read is not known, or something was written. */
  get tags(): readonly string[] | null {
    return this.#tags !== null && this.#isKnown ? [...this.#tags] : null;
  }
}
