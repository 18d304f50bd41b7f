/** Ends calls at their deadlines with one timer for all: a timer for each call costs more than the call itself. */
import type { Call } from './call.ts';

const maxTimerMs = 2 ** 31 - 1;
// Settled calls are forgotten when they are more than those that are not, and more than this.
const minForgotten = 1_024;

export class Deadlines {
  #calls: Call[] = [];
  #settled = 0;
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;

  /** A call with a deadline begins. */
  add(call: Call): void {
    this.#calls.push(call);
    this.#wakeAt(call.deadlineAt);
  }

  /** One that was added has settled. */
  leave(): void {
    this.#settled++;
    if (this.#settled > minForgotten && this.#settled * 2 > this.#calls.length) this.#forgetSettled();
  }

  // Keeps no process alive: what runs a call does.
  #wakeAt(time: number): void {
    if (time >= this.#wakesAt) return;
    clearTimeout(this.#timer);
    this.#wakesAt = time;
    const delayMs = Math.min(maxTimerMs, Math.max(1, Math.ceil(time - performance.now())));
    this.#timer = setTimeout(() => this.#expireDue(), delayMs).unref();
  }

  #expireDue(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    for (const call of this.#calls.filter(({ deadlineAt }) => deadlineAt <= now)) call.expire();
    this.#forgetSettled();
    const earliest = this.#calls.reduce((least, { deadlineAt }) => Math.min(least, deadlineAt), this.#wakesAt);
    this.#wakeAt(earliest);
  }

  #forgetSettled(): void {
    this.#calls = this.#calls.filter(({ isSettled }) => !isSettled);
    this.#settled = 0;
  }
}
