import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql';
import type { Answer, AnswerCache, Making } from '../cache/answer-cache.ts';
import { canonicalVariables, createVariablesKey, operationKeyOf } from '../cache/answer-key.ts';
import { answerPolicyOf } from '../cache/document-policy.ts';
import type { AnswerPolicy } from '../cache/narrowed-hint.ts';
import type { OperationRecord } from '../cache/operation-record.ts';
import type { Context } from '../context.ts';
import { ownBytes } from '../own-bytes.ts';
import type { Plan } from './hit-path.ts';
import type { PublicUses } from './warm-up/public-uses.ts';

/** An operation whose answers are kept. */
export interface KeptOperation {
  readonly key: string;
  readonly policy: AnswerPolicy;
  readonly record: OperationRecord;
  /** What the hit path learns of a request with these variables, which costs so many points. */
  planOf(text: string, variables: Readonly<Record<string, unknown>>, cost: number): Omit<Plan, 'contentType'>;
}

/** null: its answers are not kept. Each operation is described once. */
export type FindKeptOperation = (
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
) => KeptOperation | null;

export interface KeptOperationsOptions {
  cache: AnswerCache;
  /** Names that are counted apart; a client chooses the names of its operations. Default: none. */
  knownOperations?: { has(name: string): boolean } | undefined;
  /** Counts what everybody asks for. Default: nobody does. */
  publicUses?: Pick<PublicUses, 'of'> | null | undefined;
}

export function createKeptOperations({ cache, knownOperations, publicUses }: KeptOperationsOptions): FindKeptOperation {
  const known = new WeakMap<OperationDefinitionNode, KeptOperation | null>();
  const describe: FindKeptOperation = (schema, document, operation) => {
    const policy = answerPolicyOf(schema, document, operation);
    if (policy === null) return null;
    const name = operation.name?.value;
    const key = operationKeyOf(schema, document, operation);
    const record = cache.record(name !== undefined && knownOperations?.has(name) ? name : 'other', policy.scope);
    const variablesKey = createVariablesKey(schema, operation);
    const isCounted = publicUses && policy.scope === 'public';
    return {
      key,
      policy,
      record,
      planOf: (text, variables, cost) => ({
        operationKey: key,
        variablesKey: variablesKey(variables),
        record,
        scope: policy.scope,
        cost,
        use: isCounted ? publicUses.of(text, canonicalVariables(operation, variables)) : null,
      }),
    };
  };
  return (schema, document, operation) => {
    let kept = known.get(operation);
    if (kept === undefined) {
      kept = describe(schema, document, operation);
      known.set(operation, kept);
    }
    return kept;
  };
}

/** Keeps an answer as far as what its context has read and heard allows it; null: it is for this request only. */
export function keepMade(
  making: Making,
  policy: AnswerPolicy,
  { reads, cacheHint }: Pick<Context, 'reads' | 'cacheHint'>,
  text: string,
): Answer | null {
  const { tags } = reads;
  const narrowed = cacheHint.within(policy);
  if (tags === null || narrowed === null) return null;
  return making.keep({ body: ownBytes(text), tags, maxAgeMs: narrowed.maxAgeSeconds * 1_000 });
}
