import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { badRequest, errorAnswer } from './error-answer.ts';
import { exchangeOf } from './exchange.ts';
import { RequestDeadline } from './request-deadline.ts';
import { requestIdOf } from './request-id.ts';

export interface DeadlineOptions {
  /** The most a request may take, from its arrival; a client may ask for less by X-Request-Timeout-Ms. */
  requestTimeoutMs: number;
  /** How long work may take to notice that its time is over before it is answered without it. Default: 1,000. */
  graceMs?: number;
}

export const defaultGraceMs = 1_000;

/** What node:http hands over with a request; nothing of it where a request came without a socket. */
export type NodeContext = { req?: IncomingMessage; res?: ServerResponse };

const deadlines = new WeakMap<Request, RequestDeadline>();

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
export function useDeadline({
  requestTimeoutMs,
  graceMs = defaultGraceMs,
}: DeadlineOptions): Plugin<object, NodeContext> {
  return {
    onRequest({ request, serverContext, requestHandler, setRequestHandler, endResponse, fetchAPI }) {
      const respond = (error: GraphQLError) => {
        const { body, ...init } = errorAnswer(error, requestIdOf(request), request.headers.get('accept'));
        return new fetchAPI.Response(body, init);
      };
      const { req, res } = serverContext ?? {};
      const begun = exchangeOf(req)?.deadline;
      const timeoutMs = readTimeoutMs(request.headers.get('x-request-timeout-ms'), requestTimeoutMs);
      if (timeoutMs === null) return endResponse(respond(badTimeout(requestTimeoutMs)));
      const deadline = begun ?? new RequestDeadline(timeoutMs, graceMs);
      deadlines.set(request, deadline);
      const giveUp = (status: number) =>
        status === 504 ? respond(deadline.signal.reason) : new fetchAPI.Response(null, { status });
      if (deadline.givenUpStatus !== null) return endResponse(giveUp(deadline.givenUpStatus));
      if (!begun) watchClient(request, res, deadline);
      setRequestHandler(
        (handled, context) =>
          new Promise<Response>((resolve, reject) => {
            deadline.onGiveUp = (status) => resolve(giveUp(status));
            Promise.resolve(requestHandler(handled, context)).then(resolve, reject);
          }),
      );
    },
    onResponse({ request }) {
      deadlines.get(request)?.end();
    },
  };
}

/** A request without a socket tells by its signal that its client has gone. */
function watchClient(request: Request, response: ServerResponse | undefined, deadline: RequestDeadline): void {
  if (response) deadline.watch(response);
  else request.signal.addEventListener('abort', () => deadline.onClientGone(), { once: true });
}

/** null: not a number of milliseconds. */
function readTimeoutMs(given: string | null, maxMs: number): number | null {
  if (given === null) return maxMs;
  return /^[1-9]\d{0,14}$/.test(given) ? Math.min(Number(given), maxMs) : null;
}

function badTimeout(maxMs: number): GraphQLError {
  return badRequest(400, `X-Request-Timeout-Ms: expected a whole number of milliseconds, 1 to ${maxMs}`);
}
