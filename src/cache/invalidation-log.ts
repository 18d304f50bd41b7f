/**
 * What changed, in one order that every process follows. An answer is kept with the position up to which it is known to
 * be fresh; it may be answered as long as none of its tags changed after that.
 */

/** A place in the order: later ones are greater as strings. */
export type Position = string;

/** Tags that changed, or everything. */
export type Change = readonly string[] | 'all';

export interface InvalidationLog {
  /**
   * Where this process stands once it knows of every change that was acknowledged before this call. At once where no
   * other process writes; null: that cannot be known now, so nothing that is kept may be answered, and nothing stored.
   */
  catchUp(): Position | Promise<Position | null>;
  /** Resolves when no process answers from before the change any more: only then may its mutation be acknowledged. */
  append(tags: readonly string[]): Promise<void>;
  /** Whether one of the tags changed after the position, or whether that is no longer known. */
  hasChangedSince(position: Position, tags: Iterable<string>): boolean;
  close(): void;
}

/** Written so that they compare as strings: milliseconds, and a count within one. */
export function toPosition(milliseconds: number, count: number): Position {
  return `${String(milliseconds).padStart(15, '0')}-${String(count).padStart(12, '0')}`;
}

/**
 * Tags whose last change is known. V8 doubles a map that runs full with more than half of it alive, and 2^16 is half: of 100,000,
 * each set anew when it changes again, it came to 4 MiB more after half an hour of load, when the room of those that went was used up.
 */
const defaultMaxTags = 65_000;

/** When each tag changed last, of as many as fit. Before its start nothing is known. */
export class ChangeHistory {
  readonly #lastChanges = new Map<string, Position>();
  readonly #maxTags: number;
  #knownSince: Position;

  constructor(knownSince: Position, maxTags = defaultMaxTags) {
    this.#knownSince = knownSince;
    this.#maxTags = maxTags;
  }

  record(position: Position, change: Change): void {
    if (change === 'all') {
      this.#forgetUntil(position);
      return;
    }
    for (const tag of change) {
      const last = this.#lastChanges.get(tag);
      if (last !== undefined && last >= position) continue;
      // Set anew, so that the map stays in the order of change.
      this.#lastChanges.delete(tag);
      this.#lastChanges.set(tag, position);
    }
    while (this.#lastChanges.size > this.#maxTags) this.#forgetOldest();
  }

  hasChangedSince(position: Position, tags: Iterable<string>): boolean {
    if (position < this.#knownSince) return true;
    for (const tag of tags) {
      const last = this.#lastChanges.get(tag);
      if (last !== undefined && last > position) return true;
    }
    return false;
  }

  #forgetOldest(): void {
    const [tag, position] = this.#lastChanges.entries().next().value!;
    this.#lastChanges.delete(tag);
    if (position > this.#knownSince) this.#knownSince = position;
  }

  #forgetUntil(position: Position): void {
    for (const [tag, last] of this.#lastChanges) if (last <= position) this.#lastChanges.delete(tag);
    if (position > this.#knownSince) this.#knownSince = position;
  }
}

/** The log of a process that writes alone: it knows of every change as it is made. */
export function createLocalInvalidationLog(onChange: (change: Change) => void): InvalidationLog {
  let count = 0;
  let position = toPosition(0, count);
  const history = new ChangeHistory(position);
  return {
    catchUp: () => position,
    append: async (tags) => {
      if (tags.length === 0) return;
      count += 1;
      position = toPosition(0, count);
      history.record(position, tags);
      onChange(tags);
    },
    hasChangedSince: (since, tags) => history.hasChangedSince(since, tags),
    close: () => {},
  };
}
