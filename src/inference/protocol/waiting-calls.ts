/**
 * The calls of each version that have not ended. A batch does not say whose rows it holds, but what all calls of its
 * version want bounds what it may take: the latest of their deadlines, and whether any of them is interactive.
 */
import type { Lane, PredictRequest } from '../engine.ts';

interface WaitingCall {
  readonly lane: Lane;
  /** performance.now() at its deadline; Infinity: none. */
  readonly deadlineAt: number;
}

export class WaitingCalls {
  readonly #calls = new Map<string, Set<WaitingCall>>();
  readonly #onNone: (key: string) => void;

  /** `onNone` is called with a version's key when the last of its calls has ended. */
  constructor(onNone: (key: string) => void) {
    this.#onNone = onNone;
  }

  /** Adds a call; answers what is to be called when it has ended. */
  add(key: string, { lane, deadlineMs }: PredictRequest): () => void {
    const deadlineAt = performance.now() + (deadlineMs ?? Number.POSITIVE_INFINITY);
    const call: WaitingCall = { lane: lane ?? 'interactive', deadlineAt };
    const calls = this.#calls.get(key) ?? new Set();
    this.#calls.set(key, calls.add(call));
    return () => {
      calls.delete(call);
      if (calls.size > 0 || this.#calls.get(key) !== calls) return;
      this.#calls.delete(key);
      this.#onNone(key);
    };
  }

  /** Milliseconds until nobody waits for a batch of this version any more, at most `maxMs`. */
  remainingMs(key: string, maxMs: number): number {
    let latest = 0;
    for (const { deadlineAt } of this.#calls.get(key) ?? []) latest = Math.max(latest, deadlineAt);
    return Math.max(1, Math.min(maxMs, latest - performance.now()));
  }

  laneOf(key: string): Lane {
    for (const { lane } of this.#calls.get(key) ?? []) if (lane === 'interactive') return lane;
    return 'bulk';
  }
}
