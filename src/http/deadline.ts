import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { timeout } from '../errors.ts';
import { badRequest, errorAnswer } from './error-answer.ts';
import { requestIdOf } from './request-id.ts';

export interface DeadlineOptions {
  /** The most a request may take, from its arrival; a client may ask for less by X-Request-Timeout-Ms. */
  requestTimeoutMs: number;
  /** How long work may take to notice that its time is over before it is answered without it. Default: 1,000. */
  graceMs?: number;
}

/** What node:http hands over with a request; nothing of it where a request came without a socket. */
export type NodeContext = { req?: IncomingMessage; res?: ServerResponse };

/** The status of a request whose client has gone, for the log: nobody reads it. */
const clientGoneStatus = 499;

/** The time of one request. One timer at a time, none once it is over. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  readonly #graceMs: number;
  readonly #endsAt: number;
  #timer: NodeJS.Timeout;
  #giveUp: ((status: number) => void) | null = null;

  constructor(timeoutMs: number, graceMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#graceMs = graceMs;
    this.#endsAt = performance.now() + timeoutMs;
    this.#timer = setTimeout(() => this.#onTimeout(), timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
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

  onClientGone(): void {
    const giveUp = this.#giveUp;
    this.end();
    if (!this.signal.aborted) this.#controller.abort(timeout('The client has gone away'));
    giveUp?.(clientGoneStatus);
  }

  #onTimeout(): void {
    // Armed first: what hears of the abort may end the request at once.
    this.#timer = setTimeout(() => this.#giveUp?.(504), this.#graceMs);
    this.#controller.abort(timeout(`The request took longer than ${this.#timeoutMs} ms`));
  }
}

const deadlines = new WeakMap<Request, Deadline>();

/**
 * Aborted when the time of a request is over or its client has gone, with the TIMEOUT error to answer with as its
 * reason; never after its answer is out.
 */
export function deadlineOf(request: Request): AbortSignal {
  return deadlines.get(request)?.signal ?? request.signal;
}

/** Milliseconds until the time of a request is over; Infinity for one without a deadline. */
export function remainingMsOf(request: Request): number {
  return deadlines.get(request)?.remainingMs ?? Number.POSITIVE_INFINITY;
}

/**
 * Gives every request its deadline. What works for it hears of the end by deadlineOf(request); work that does not settle
 * within a grace after that is answered with TIMEOUT all the same.
 */
export function useDeadline({ requestTimeoutMs, graceMs = 1_000 }: DeadlineOptions): Plugin<object, NodeContext> {
  return {
    onRequest({ request, serverContext, requestHandler, setRequestHandler, endResponse, fetchAPI }) {
      const respond = (error: GraphQLError) => {
        const { body, ...init } = errorAnswer(error, requestIdOf(request), request.headers.get('accept'));
        return new fetchAPI.Response(body, init);
      };
      const timeoutMs = readTimeoutMs(request.headers.get('x-request-timeout-ms'), requestTimeoutMs);
      if (timeoutMs === null) return endResponse(respond(badTimeout(requestTimeoutMs)));
      const deadline = new Deadline(timeoutMs, graceMs);
      deadlines.set(request, deadline);
      watchClient(request, serverContext?.res, deadline);
      setRequestHandler(
        (handled, context) =>
          new Promise<Response>((resolve, reject) => {
            deadline.onGiveUp = (status) =>
              resolve(status === 504 ? respond(deadline.signal.reason) : new fetchAPI.Response(null, { status }));
            Promise.resolve(requestHandler(handled, context)).then(resolve, reject);
          }),
      );
    },
    onResponse({ request }) {
      deadlines.get(request)?.end();
    },
  };
}

/** node:http tells by the answer's `close`, also while the body is read; a request without a socket by its signal. */
function watchClient(request: Request, response: ServerResponse | undefined, deadline: Deadline): void {
  if (!response) {
    request.signal.addEventListener('abort', () => deadline.onClientGone(), { once: true });
    return;
  }
  response.once('close', () => {
    if (!response.writableFinished) deadline.onClientGone();
  });
}

/** null: not a number of milliseconds. */
function readTimeoutMs(given: string | null, maxMs: number): number | null {
  if (given === null) return maxMs;
  return /^[1-9]\d{0,14}$/.test(given) ? Math.min(Number(given), maxMs) : null;
}

function badTimeout(maxMs: number): GraphQLError {
  return badRequest(400, `X-Request-Timeout-Ms: expected a whole number of milliseconds, 1 to ${maxMs}`);
}
