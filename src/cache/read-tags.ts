import type { Statement, Value } from '../db/database.ts';

/** What one request reads of the database, told by its statements; nothing unless its answer may be kept. */
export class ReadTags {
  #tags: Set<string> | null = null;
  #isKnown = true;

  /** From now on what is read is noted. */
  start(): void {
    this.#tags = new Set();
  }

  /** For Bounds.onRun. */
  readonly note = (statement: Statement, values: readonly Value[], rows?: readonly unknown[]): void => {
    if (this.#tags === null) return;
    const tags = rows ? statement.answeredTags?.(values, rows) : statement.isRead && statement.readTags?.(values);
    if (!tags) this.#isKnown = false;
    else for (const tag of tags) this.#tags.add(tag);
  };

  /** null: what was read is not known, or something was written. */
  get tags(): readonly string[] | null {
    return this.#tags !== null && this.#isKnown ? [...this.#tags] : null;
  }
}
