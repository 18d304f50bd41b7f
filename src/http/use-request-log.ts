import { getOperationAST } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import { requestIdOf } from './request-id.ts';

interface Seen {
  startedAt: number;
  operation?: string | undefined;
}

/** One line for each request, at level debug; at any other level nothing is noted. */
export function useRequestLog(log: Logger): Plugin {
  const seen = new WeakMap<Request, Seen>();
  return {
    onRequest({ request }) {
      if (log.isLevelEnabled('debug')) seen.set(request, { startedAt: performance.now() });
    },
    onExecute({ args }) {
      const noted = seen.get((args.contextValue as { request: Request }).request);
      if (noted) noted.operation = getOperationAST(args.document, args.operationName)?.name?.value;
    },
    onResponse({ request, response }) {
      const noted = seen.get(request);
      if (!noted) return;
      const milliseconds = Math.round((performance.now() - noted.startedAt) * 10) / 10;
      const { method } = request;
      const { operation } = noted;
      log.debug(
        { requestId: requestIdOf(request), method, operation, status: response.status, milliseconds },
        'request',
      );
    },
  };
}
