import { getOperationAST } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Context } from '../../context.ts';
import type { NodeContext } from '../deadline.ts';
import { exchangeOf } from '../exchange.ts';
import { hasWarned } from '../limits/use-limits.ts';
import type { DirectPath } from './direct-path.ts';
import type { LetThrough } from './prepared-operations.ts';

/**
 * Teaches the direct path what the long way has let through, and ends here what was begun there. To come after everything
 * that may refuse a request or has something to say of each.
 */
export function useDirectPath(directPath: Pick<DirectPath, 'learn' | 'learnContentType'>): Plugin<Context> {
  const letThrough = new WeakSet<Request>();
  return {
    onExecute({ args: { schema, document, contextValue }, context: { request, params }, executeFn, setExecuteFn }) {
      const begun = exchangeOf((contextValue as NodeContext).req)?.execution;
      if (begun) setExecuteFn((() => begun) as typeof executeFn);
      const { query, operationName } = params;
      if (typeof query !== 'string' || hasWarned(request)) return;
      const isMutation = getOperationAST(document, operationName)?.operation === 'mutation';
      const execute = isMutation ? (executeFn as LetThrough['execute']) : null;
      directPath.learn({ text: query, operationName: operationName ?? null }, { schema, document, execute });
      letThrough.add(request);
    },
    onResponse({ request, response }) {
      if (response.status !== 200 || !letThrough.has(request)) return;
      const { method, headers } = request;
      directPath.learnContentType(method, headers.get('accept'), response.headers.get('content-type'));
    },
  };
}
