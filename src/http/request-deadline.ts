import type { ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import { timeout } from '../errors.ts';

/** The status of a request whose client has gone, for the log: nobody reads it. */
export const clientGoneStatus = 499;

/** The time of one request, from its arrival. One timer at a time, none once it is over. */
export class RequestDeadline {
  readonly startedAtMs = performance.now();
  readonly #timeoutMs: number;
  readonly #graceMs: number;
  #controller: AbortController | null = null;
  /** Why it is over; null: it is not. */
  #reason: GraphQLError | null = null;
  #timer: NodeJS.Timeout;
  #giveUp: ((status: number) => void) | null = null;
  #givenUpStatus: number | null = null;

  /** @param graceMs how long work may take to notice that its time is over */
  constructor(timeoutMs: number, graceMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#graceMs = graceMs;
    this.#timer = setTimeout(() => this.#onTimeout(), timeoutMs);
  }

  /** Aborted when the time is over or the client has gone, with the TIMEOUT error to answer with as its reason. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#reason !== null) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get remainingMs(): number {
    return Math.max(0, this.startedAtMs + this.#timeoutMs - performance.now());
  }

  /** 504: its work has not noticed the end in time; 499: its client has gone. null: it is waited for still. */
  get givenUpStatus(): number | null {
    return this.#givenUpStatus;
  }

  /** Tells who waits for the answer not to wait any longer. */
  set onGiveUp(giveUp: (status: number) => void) {
    this.#giveUp = giveUp;
  }

  /** The answer is out: nothing is aborted any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#giveUp = null;
  }

  /** node:http tells by the answer's `close` that its client has gone, also while the body is read. */
  watch(response: ServerResponse): void {
    response.once('close', () => {
      if (!response.writableFinished) this.onClientGone();
    });
  }

  onClientGone(): void {
    const giveUp = this.#giveUp;
    this.end();
    this.#abort(timeout('The client has gone away'));
    this.#givenUpStatus = clientGoneStatus;
    giveUp?.(clientGoneStatus);
  }

  #onTimeout(): void {
    // Armed first: what hears of the abort may end the request at once.
    this.#timer = setTimeout(() => this.#onGraceOver(), this.#graceMs);
    this.#abort(timeout(`The request took longer than ${this.#timeoutMs} ms`));
  }

  #onGraceOver(): void {
    this.#givenUpStatus = 504;
    this.#giveUp?.(504);
  }

  #abort(reason: GraphQLError): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}
