import { createHash, hash } from 'node:crypto';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
  print,
  printSchema,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { type Answer, type AnswerCache, Making } from '../cache/answer-cache.ts';
import { type AnswerPolicy, answerPolicyOf } from '../cache/document-policy.ts';
import type { Context } from '../context.ts';
import { type AnswerSource, answerHeaders, etagOf, formAtClient } from './answer-headers.ts';
import { holderOf } from './answer-holder.ts';
import { baseVaryOf } from './base-headers.ts';
import type { NodeContext } from './deadline.ts';
import { encodingFor } from './encoding/accept-encoding.ts';
import type { HitPath, Plan } from './hit-path.ts';

/** A result whose text is known: Yoga writes what `stringify` gives. */
interface FinishedResult extends ExecutionResult {
  stringify(): string;
}

type Execute = (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;

/** Answers with extensions of their own are made for one request only. */
const uncachedHeader = 'x-cost';
/** Characters; longer variables stand in a key by their hash. */
const maxKeptVariables = 128;

export interface AnswerCacheOptions {
  cache: AnswerCache;
  /** Learns what requests mean, and answers them the next time. */
  hitPath: HitPath;
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
export function useAnswerCache({ cache, hitPath, costOf }: AnswerCacheOptions): Plugin<Context, NodeContext> {
  const operations = new WeakMap<OperationDefinitionNode, CachedOperation | null>();
  const describe = createOperationKeys();
  const kept = new WeakMap<Request, Kept>();
  return {
    onExecute({ args, context, executeFn, setExecuteFn }) {
      const { schema, document, operationName, variableValues } = args;
      const { request } = context;
      const operation = getOperationAST(document, operationName);
      if (!operation || request.headers.has(uncachedHeader)) return;
      let cached = operations.get(operation);
      if (cached === undefined) {
        const policy = answerPolicyOf(schema, document, operation);
        cached = policy && { policy, key: describe(schema, document, operation) };
        operations.set(operation, cached);
      }
      const holder = cached && holderOf(cached.policy.scope, context.viewer);
      if (!cached || holder === null) return;
      const { policy, key: operationKey } = cached;
      const variables = canonical(variablesOf(operation, variableValues ?? {}));
      const variablesKey = variables.length > maxKeptVariables ? hash('sha256', variables) : variables;
      const plan = { operationKey, variablesKey, scope: policy.scope, cost: costOf(request) };
      const wanted = { key: `${operationKey}:${holder}:${variablesKey}`, policy };
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

interface CachedOperation {
  policy: AnswerPolicy;
  key: string;
}

async function answer(
  cache: AnswerCache,
  { key, policy }: { key: string; policy: AnswerPolicy },
  { reads }: Context,
  execute: () => ReturnType<Execute>,
  onKept: (answer: Answer, source: AnswerSource) => void,
): Promise<ExecutionResult> {
  const found = await cache.find(key);
  if (found === null) return execute();
  if (!(found instanceof Making)) {
    onKept(found, 'hit');
    const text = found.body.toString();
    return { data: null, stringify: () => text } as FinishedResult;
  }
  try {
    reads.start();
    const result = await execute();
    const { tags } = reads;
    if (tags === null || (result.errors?.length ?? 0) > 0) return result;
    const text = JSON.stringify(result);
    const made = found.keep({ body: Buffer.from(text), tags, maxAgeMs: policy.maxAgeSeconds * 1_000 });
    if (made) onKept(made, 'stored');
    return { ...result, stringify: () => text } as FinishedResult;
  } finally {
    found.drop();
  }
}

/** A name for an operation of a schema: two documents that print alike are the same. */
function createOperationKeys() {
  const schemas = new WeakMap<GraphQLSchema, string>();
  return (schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): string => {
    let schemaHash = schemas.get(schema);
    if (schemaHash === undefined) {
      schemaHash = hash('sha256', printSchema(schema), 'base64url').slice(0, 16);
      schemas.set(schema, schemaHash);
    }
    const name = operation.name?.value ?? '';
    return createHash('sha256')
      .update(`${schemaHash}\n${name}\n${print(document)}`)
      .digest('base64url');
  };
}

/** Only those that the operation knows: others change nothing, but would make another key. */
function variablesOf({ variableDefinitions = [] }: OperationDefinitionNode, given: Readonly<Record<string, unknown>>) {
  const names = variableDefinitions.map(({ variable }) => variable.name.value);
  return Object.fromEntries(names.filter((name) => Object.hasOwn(given, name)).map((name) => [name, given[name]]));
}

/** JSON with the keys of objects in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
