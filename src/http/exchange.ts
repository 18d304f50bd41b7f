import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import type { BaseHeaders } from './base-headers.ts';
import type { RateVerdict } from './rate-limit/rate-limiter.ts';
import type { RequestDeadline } from './request-deadline.ts';

/** A request on its way, with what its answer has whoever writes it, and what has been done for it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly base: BaseHeaders;
  /** What was read of the request; null: nothing was, or it has no body. */
  body: Buffer | null;
  /** How the client stands with its quotas after this request; undefined: nothing has been taken yet. */
  verdict: RateVerdict | null | undefined;
  /** null: its time is not counted yet. */
  deadline: RequestDeadline | null;
  /** Of a mutation that has begun, and must not run twice; null: none has. */
  execution: Promise<ExecutionResult> | null;
}

/** Answers a request the long way. One function for all requests: one for each is garbage of each. */
export type LongWay = (exchange: Exchange) => void;

const exchanges = new WeakMap<IncomingMessage, Exchange>();

/** What was begun for a request that has come to the long way, which goes on from there; undefined: nothing. */
export function exchangeOf(request: IncomingMessage | undefined): Exchange | undefined {
  return request && exchanges.get(request);
}

/** For exchangeOf. */
export function noteExchange(exchange: Exchange): void {
  const { request, body, verdict, deadline } = exchange;
  if (body !== null || verdict !== undefined || deadline !== null) exchanges.set(request, exchange);
}
