import { type ExecutionArgs, type ExecutionResult, getOperationAST } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { type Answer, type AnswerCache, Making } from '../cache/answer-cache.ts';
import { answerKeyOf } from '../cache/answer-key.ts';
import type { Context } from '../context.ts';
import { type AnswerSource, answerHeaders, etagOf, formAtClient } from './answer-headers.ts';
import { holderOf } from './answer-holder.ts';
import { baseVaryOf } from './base-headers.ts';
import type { NodeContext } from './deadline.ts';
import { encodingFor } from './encoding/accept-encoding.ts';
import type { HitPath, Plan } from './hit-path.ts';
import { type FindKeptOperation, type KeptOperation, keepMade } from './kept-operations.ts';

/** A result whose text is known: Yoga writes what `stringify` gives. */
interface FinishedResult extends ExecutionResult {
  stringify(): string;
}

type Execute = (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;

/** Answers with extensions of their own are made for one request only. */
const uncachedHeader = 'x-cost';

export interface AnswerCacheOptions {
  cache: AnswerCache;
  /** Learns what requests mean, and answers them the next time. */
  hitPath: HitPath;
  keptOperationOf: FindKeptOperation;
  /** What a request costs in points, known when it is about to run. */
  costOf(request: Request): number;
}

/** A request whose answer is in the cache now. */
interface Kept {
  plan: Omit<Plan, 'contentType'>;
  answer: Answer;
  source: AnswerSource;
}

/**
 * Answers queries from the cache, and keeps what may be kept: by the policies of their fields, when nothing failed, with
 * the tags of all statements that ran for it. To come after everything that may refuse a request.
 */
export function useAnswerCache(options: AnswerCacheOptions): Plugin<Context, NodeContext> {
  const { cache, hitPath, costOf, keptOperationOf } = options;
  const kept = new WeakMap<Request, Kept>();
  return {
    onExecute({ args, context, executeFn, setExecuteFn }) {
      const { schema, document, operationName, variableValues } = args;
      const { request } = context;
      const operation = getOperationAST(document, operationName);
      if (!operation || request.headers.has(uncachedHeader)) return;
      const operationKept = keptOperationOf(schema, document, operation);
      const holder = operationKept && holderOf(operationKept.policy.scope, context.viewer);
      if (!operationKept || holder === null) return;
      const plan = operationKept.planOf(context.params.query ?? '', variableValues ?? {}, costOf(request));
      plan.use?.add();
      const wanted = { key: answerKeyOf(plan.operationKey, holder, plan.variablesKey), operation: operationKept };
      setExecuteFn((async (given: ExecutionArgs) => {
        const execute = () => executeFn(given) as ReturnType<Execute>;
        return answer(cache, wanted, context, execute, (found, source) => {
          kept.set(request, { plan, answer: found, source });
        });
      }) as typeof executeFn);
    },
    async onResponse({ request, response, serverContext, setResponse, fetchAPI }) {
      const found = kept.get(request);
      if (!found || response.status !== 200) return;
      const { plan, answer, source } = found;
      const contentType = response.headers.get('content-type') ?? '';
      if (serverContext?.req) hitPath.learn(serverContext.req, { ...plan, contentType });
      const { method, headers: asked } = request;
      const encoding = encodingFor(asked.get('accept-encoding'), answer.body.length);
      const form = formAtClient({ method, ifNoneMatch: asked.get('if-none-match') }, answer, encoding);
      const headers = new fetchAPI.Headers(response.headers);
      const vary = baseVaryOf(serverContext?.res);
      const options = { method, scope: plan.scope, source, encoding: form ?? encoding, vary };
      const own = answerHeaders(answer, options);
      for (let index = 0; index < own.length; index += 2) headers.set(own[index]!, own[index + 1]!);
      if (form !== null) {
        for (const name of ['content-type', 'content-length']) headers.delete(name);
        return setResponse(new fetchAPI.Response(null, { status: 304, headers }));
      }
      const isPlain = encoding === 'identity';
      const body = isPlain
        ? answer.body
        : await hitPath.encodedBodies.find(etagOf(answer, encoding), answer.body, encoding);
      if (!isPlain) headers.set('content-encoding', encoding);
      headers.set('content-length', String(body.length));
      setResponse(new fetchAPI.Response(body as Uint8Array<ArrayBuffer>, { status: 200, headers }));
    },
  };
}

async function answer(
  cache: AnswerCache,
  { key, operation: { policy, record } }: { key: string; operation: KeptOperation },
  context: Context,
  execute: () => ReturnType<Execute>,
  onKept: (answer: Answer, source: AnswerSource) => void,
): Promise<ExecutionResult> {
  let source: AnswerSource = 'hit';
  const found = await cache.find(key, record, (outcome) => {
    if (outcome === 'l2') source = 'l2';
  });
  if (found === null) return execute();
  if (!(found instanceof Making)) {
    onKept(found, source);
    const text = found.body.toString();
    return { data: null, stringify: () => text } as FinishedResult;
  }
  try {
    context.reads.start();
    const result = await execute();
    if ((result.errors?.length ?? 0) > 0) return result;
    const text = JSON.stringify(result);
    const made = keepMade(found, policy, context, text);
    if (made === null) return result;
    onKept(made, 'stored');
    return { ...result, stringify: () => text } as FinishedResult;
  } finally {
    found.drop();
  }
}
