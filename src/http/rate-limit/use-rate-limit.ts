import type { IncomingMessage } from 'node:http';
import type { Plugin } from 'graphql-yoga';
import type { Viewer } from '../../context.ts';
import { rateLimited } from '../../errors.ts';
import { errorAnswer } from '../error-answer.ts';
import { exchangeOf } from '../exchange.ts';
import { requestIdOf } from '../request-id.ts';
import { viewerKeyOf } from '../request-viewer.ts';
import type { WarmUpContext } from '../warm-up/warm-up.ts';
import { clientAddress } from './client-address.ts';
import { failedRequestPoints, type RateLimiter, type RateVerdict, unknownDocumentPoints } from './rate-limiter.ts';

export interface RateLimitOptions {
  rateLimiter: RateLimiter;
  /** How many proxies in front write X-Forwarded-For. */
  trustedProxies: number;
  /** What a request that is about to run costs in points; less than 1 counts as 1. */
  costOf(request: Request): number;
}

interface State {
  address: string;
  /** null: nothing taken yet. */
  verdict: RateVerdict | null;
  /** Whether the request has been charged for, or refused without. */
  isCharged: boolean;
  /** What its result takes when it is a failure without an execution, which an answer with status 200 can be as well. */
  failurePoints: number;
}

/**
 * Takes points for each request from its viewer and its address. An address over its quota is refused before its body
 * is read; everyone else when the operation is about to run, by its cost. A request that fails before that (a bad
 * token, a document that does not parse) costs its address a fixed price; one for a document that is not known costs
 * the least, as clients of Apollo ask so before they register one. Every answer that was charged for says in
 * RateLimit headers (draft-ietf-httpapi-ratelimit-headers) how the client stands with the tighter of its quotas.
 */
export function useRateLimit({ rateLimiter, trustedProxies, costOf }: RateLimitOptions): Plugin {
  const states = new WeakMap<Request, State>();
  return {
    onRequest({ request, serverContext, fetchAPI, endResponse }) {
      // A browser's question before the request; whether it may be asked is not the client's choice.
      if (request.method === 'OPTIONS') return;
      const { req, isWarmUp } = serverContext as { req?: IncomingMessage } & Partial<WarmUpContext>;
      // Nobody asks, so nobody is charged.
      if (isWarmUp) return;
      const forwardedFor = trustedProxies > 0 ? request.headers.get('x-forwarded-for') : null;
      const address = clientAddress(req?.socket.remoteAddress, forwardedFor, trustedProxies);
      const taken = exchangeOf(req)?.verdict;
      if (taken !== undefined) {
        states.set(request, { address, verdict: taken, isCharged: true, failurePoints: 0 });
        return;
      }
      const verdict = rateLimiter.refusal(address);
      states.set(request, { address, verdict, isCharged: verdict !== null, failurePoints: 0 });
      if (!verdict) return;
      const error = rateLimited(verdict.retryAfterSeconds);
      const { body, ...init } = errorAnswer(error, requestIdOf(request), request.headers.get('accept'));
      endResponse(new fetchAPI.Response(body, init));
    },
    onExecute({ args, setResultAndStopExecution }) {
      const { request, viewer } = args.contextValue as unknown as { request: Request; viewer?: Viewer | null };
      const state = states.get(request);
      if (!state) return;
      if (!state.isCharged) {
        const { address } = state;
        state.verdict = rateLimiter.consume({ viewerKey: viewerKeyOf(viewer), address, points: costOf(request) });
        state.isCharged = true;
      }
      if (state.verdict?.isAllowed === false) {
        setResultAndStopExecution({ errors: [rateLimited(state.verdict.retryAfterSeconds)] });
      }
    },
    onResultProcess({ request, result }) {
      const state = states.get(request);
      if (!state || Array.isArray(result) || !('errors' in result) || !result.errors?.length) return;
      const isUnknown = result.errors[0]?.extensions?.code === 'PERSISTED_QUERY_NOT_FOUND';
      state.failurePoints = isUnknown ? unknownDocumentPoints : failedRequestPoints;
    },
    onResponse({ request, response }) {
      const state = states.get(request);
      if (!state) return;
      const hasFailed = (state.failurePoints > 0 || response.status >= 400) && response.status < 500;
      const points = state.failurePoints || failedRequestPoints;
      if (!state.isCharged && hasFailed) state.verdict = rateLimiter.charge(state.address, points);
      if (state.verdict) setHeaders(response.headers, state.verdict);
    },
  };
}

/** How the client stands with the tighter of its quotas. */
export function rateHeaders({ quota, limit, windowSeconds, remaining, resetSeconds }: RateVerdict) {
  return {
    'ratelimit-policy': `"${quota}";q=${limit};w=${windowSeconds}`,
    ratelimit: `"${quota}";r=${remaining};t=${resetSeconds}`,
  };
}

function setHeaders(headers: Headers, verdict: RateVerdict): void {
  for (const [name, value] of Object.entries(rateHeaders(verdict))) headers.set(name, value);
  if (!verdict.isAllowed) headers.set('retry-after', String(verdict.retryAfterSeconds));
}
