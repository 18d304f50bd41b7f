import { ExponentialBackoff, type IBackoff } from 'cockatiel';

/** What has run for so long did not fail at its start. */
const stableMs = 10_000;
const backoffs = new ExponentialBackoff({ initialDelay: 100, maxDelay: 10_000 });

/** How long to wait before a process that ended is started again: longer each time until one of them lasts. */
export class RestartDelay {
  #backoff: IBackoff<unknown> | null = null;

  /** Milliseconds, jittered; for a process that ran so many. */
  next(ranMs: number): number {
    this.#backoff = ranMs >= stableMs || this.#backoff === null ? backoffs.next() : this.#backoff.next(undefined);
    return this.#backoff.duration;
  }
}
