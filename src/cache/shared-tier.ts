/** The second tier: asked before an answer is made, and told of each that was; expensive ones are made by one process at a time. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from '../redis/client.ts';
import type { Answer } from './answer-cache.ts';
import { type Lease, takeLease } from './making-leases.ts';
import { type SharedAnswer, SharedAnswers, type SharedAnswersOptions } from './shared-answers.ts';

/** How the wait for another process ended: with its answer; with the lease, as it made none; with neither. */
export type WaitEnd = 'answered' | 'leased' | 'over';

export interface SharedTierOptions extends SharedAnswersOptions {
  /** Which code runs: other code may make other answers of the same data, and never finds these. */
  readonly deployment: string;
  readonly onWait?: (end: WaitEnd, milliseconds: number) => void;
  /** Answers that are made faster are not shared: a read from Redis takes 60 µs for 2 kB, and 100 µs for 16 kB. Default: 1. */
  readonly minMakingMs?: number;
  /** Answers that take as long to make are made by one process at a time. Default: 50. */
  readonly expensiveMs?: number;
}

/** An answer, or the right to make it: without a lease where that is cheap, or nobody can say. */
export type Found = { readonly answer: Answer } | { readonly answer: null; readonly lease: Lease | null };

/** Keeps an answer in this process, with nothing between the look at its position and that; null: it is not fresh. */
export type Accept = (answer: SharedAnswer) => Answer | null;

const maxWaitMs = 1_000;
const lookEveryMs = 20;

export class SharedTier {
  readonly #redis: Redis;
  readonly #deployment: string;
  readonly #answers: SharedAnswers;
  readonly #onWait: SharedTierOptions['onWait'];
  readonly #minMakingMs: number;
  readonly #expensiveMs: number;

  constructor({ deployment, minMakingMs = 1, expensiveMs = 50, onWait, ...options }: SharedTierOptions) {
    this.#redis = options.redis;
    this.#deployment = deployment;
    this.#answers = new SharedAnswers(options);
    this.#onWait = onWait;
    this.#minMakingMs = minMakingMs;
    this.#expensiveMs = expensiveMs;
  }

  /**
   * An answer that another process has kept, when it is accepted. makingMs: how long making it took last, null when that is
   * not known. While another process makes an expensive one it is waited for, up to twice that time and at most 1 s.
   */
  async find(answerKey: string, makingMs: number | null, accept: Accept): Promise<Found> {
    const key = `${this.#deployment}:${answerKey}`;
    if (makingMs !== null && makingMs < this.#minMakingMs) return { answer: null, lease: null };
    const answer = await this.#read(key, accept);
    if (answer) return { answer };
    if (makingMs === null || makingMs < this.#expensiveMs) return { answer: null, lease: null };
    return this.#await(key, Math.min(maxWaitMs, 2 * makingMs), accept);
  }

  /** Keeps an answer that was made, and gives its lease back when the others can read it. Nobody waits for that. */
  keep(answerKey: string, answer: Answer, makingMs: number, lease: Lease | null): void {
    const key = `${this.#deployment}:${answerKey}`;
    const written = makingMs < this.#minMakingMs ? Promise.resolve() : this.#answers.write(key, answer);
    void written.then(() => lease?.release());
  }

  async #await(key: string, boundMs: number, accept: Accept): Promise<Found> {
    const startedAt = performance.now();
    let looks = 0;
    const end = (by: WaitEnd, found: Found) => {
      if (looks > 1) this.#onWait?.(by, performance.now() - startedAt);
      return found;
    };
    for (;;) {
      looks += 1;
      // The lease before the look: who gave it back has written.
      const taken = await takeLease(this.#redis, key, boundMs);
      const lease = taken === 'taken' ? null : taken;
      const answer = await this.#read(key, accept);
      if (answer) {
        void lease?.release();
        return end('answered', { answer });
      }
      if (taken !== 'taken') return end(lease ? 'leased' : 'over', { answer: null, lease });
      if (performance.now() - startedAt >= boundMs) return end('over', { answer: null, lease: null });
      await pause(lookEveryMs, undefined, { ref: false });
    }
  }

  async #read(key: string, accept: Accept): Promise<Answer | null> {
    const answer = await this.#answers.read(key);
    return answer && accept(answer);
  }
}
