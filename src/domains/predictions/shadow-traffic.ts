/** Rows that shadows of this process may run at the same time; one call may have more when it is alone. */
const maxRows = 1_024;

/** Calls that run once more on another version, behind the answers of this process and never in their way. */
export class ShadowTraffic {
  readonly #random: () => number;
  readonly #running = new Set<Promise<void>>();
  readonly #end = new AbortController();
  #rows = 0;
  #dropped = 0;

  /** `random` answers 0 up to 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Calls that should have been shadowed and were not, since the start: too many ran, or the engine was overloaded. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Aborted when the process ends: nothing waits for what still runs. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Whether a call is among the share of calls that are shadowed, 0 to 1. */
  isSampled(share: number): boolean {
    return this.#random() < share;
  }

  /** Does the work of so many rows once what runs now is done, or drops it. A rejection counts as dropped. */
  start(rows: number, work: () => Promise<void>): void {
    if (this.signal.aborted || (this.#rows > 0 && this.#rows + rows > maxRows)) {
      this.#dropped += 1;
      return;
    }
    this.#rows += rows;
    // Behind what resolvers wait for: the answer is written first.
    const done = new Promise<void>((resolve) => setImmediate(resolve)).then(work).catch(() => {
      this.#dropped += 1;
    });
    this.#running.add(done);
    void done.then(() => {
      this.#rows -= rows;
      this.#running.delete(done);
    });
  }

  /** Cancels what runs, and takes nothing more. */
  close(): Promise<void> {
    this.#end.abort();
    return this.settle();
  }

  /** Resolves when all that was started so far has ended. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }
}
