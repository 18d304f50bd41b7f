import { getOperationAST } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { NodeContext } from './deadline.ts';
import { exchangeOf } from './exchange.ts';
import { requestIdOf } from './request-id.ts';

/** What is said of a request that is answered. */
export interface LoggedRequest {
  requestId: string;
  method: string | undefined;
  /** Its name. */
  operation: string | undefined;
  status: number;
  /** performance.now() at its arrival. */
  startedAt: number;
}

/** One line, at level debug. */
export function logRequest(log: Logger, { startedAt, ...said }: LoggedRequest): void {
  const milliseconds = Math.round((performance.now() - startedAt) * 10) / 10;
  log.debug({ ...said, milliseconds }, 'request');
}

interface Seen {
  startedAt: number;
  operation?: string | undefined;
}

/** One line for each request, at level debug; at any other level nothing is noted. */
export function useRequestLog(log: Logger): Plugin<object, NodeContext> {
  const seen = new WeakMap<Request, Seen>();
  return {
    onRequest({ request, serverContext }) {
      if (!log.isLevelEnabled('debug')) return;
      const begun = exchangeOf(serverContext?.req)?.deadline;
      seen.set(request, { startedAt: begun?.startedAtMs ?? performance.now() });
    },
    onExecute({ args }) {
      const noted = seen.get((args.contextValue as { request: Request }).request);
      if (noted) noted.operation = getOperationAST(args.document, args.operationName)?.name?.value;
    },
    onResponse({ request, response }) {
      const noted = seen.get(request);
      if (!noted) return;
      const { method } = request;
      const { operation, startedAt } = noted;
      logRequest(log, { requestId: requestIdOf(request), method, operation, status: response.status, startedAt });
    },
  };
}
