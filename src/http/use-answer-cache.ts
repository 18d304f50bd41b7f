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
import { type AnswerCache, Making } from '../cache/answer-cache.ts';
import { type AnswerPolicy, answerPolicyOf } from '../cache/document-policy.ts';
import type { Context, Viewer } from '../context.ts';
import type { CacheScope } from '../schema/policy.ts';

/** A result whose text is known: Yoga writes what `stringify` gives. */
interface FinishedResult extends ExecutionResult {
  stringify(): string;
}

type Execute = (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;

/** Answers with extensions of their own are made for one request only. */
const uncachedHeader = 'x-cost';
/** Characters; longer variables stand in a key by their hash. */
const maxKeptVariables = 128;

/**
 * Answers queries from the cache, and keeps what may be kept: by the policies of their fields, when nothing failed, with
 * the tags of all statements that ran for it. To come after everything that may refuse a request.
 */
export function useAnswerCache(cache: AnswerCache): Plugin<Context> {
  const operations = new WeakMap<OperationDefinitionNode, CachedOperation | null>();
  const describe = createOperationKeys();
  return {
    onExecute({ args, context, executeFn, setExecuteFn }) {
      const { schema, document, operationName, variableValues } = args;
      const operation = getOperationAST(document, operationName);
      if (!operation || context.request.headers.has(uncachedHeader)) return;
      let cached = operations.get(operation);
      if (cached === undefined) {
        const policy = answerPolicyOf(schema, document, operation);
        cached = policy && { policy, key: describe(schema, document, operation) };
        operations.set(operation, cached);
      }
      const holder = cached && holderOf(cached.policy.scope, context.viewer);
      if (!cached || holder === null) return;
      const variables = canonical(variablesOf(operation, variableValues ?? {}));
      const key = `${cached.key}:${holder}:${variables.length > maxKeptVariables ? hash('sha256', variables) : variables}`;
      const { policy } = cached;
      setExecuteFn(((given: ExecutionArgs) =>
        answer(cache, key, policy, context, () => executeFn(given) as ReturnType<Execute>)) as typeof executeFn);
    },
  };
}

interface CachedOperation {
  policy: AnswerPolicy;
  key: string;
}

async function answer(
  cache: AnswerCache,
  key: string,
  policy: AnswerPolicy,
  { reads }: Context,
  execute: () => ReturnType<Execute>,
): Promise<ExecutionResult> {
  const found = await cache.find(key);
  if (found === null) return execute();
  if (!(found instanceof Making)) return finished(found.body.toString());
  try {
    reads.start();
    const result = await execute();
    const { tags } = reads;
    const maxAgeMs = Math.min(policy.maxAgeSeconds, reads.maxAgeSeconds) * 1_000;
    if (tags === null || maxAgeMs <= 0 || (result.errors?.length ?? 0) > 0) return result;
    const text = JSON.stringify(result);
    found.keep({ body: Buffer.from(text), tags, maxAgeMs });
    return { ...result, stringify: () => text } as FinishedResult;
  } finally {
    found.drop();
  }
}

function finished(text: string): FinishedResult {
  return { data: null, stringify: () => text };
}

/** Whose answer it is: nobody's, that of an organization and a set of scopes, or one user's. null: nobody can have it. */
function holderOf(scope: CacheScope, viewer: Viewer | null): string | null {
  if (scope === 'public') return 'public';
  if (viewer === null) return null;
  const scopes = [...viewer.scopes].sort().join(' ');
  return scope === 'organization'
    ? `${viewer.organizationId}:${scopes}`
    : `${viewer.organizationId}:${viewer.userId}:${scopes}`;
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
