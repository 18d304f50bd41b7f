/** What is known of operations that have gone the long way: they parse, are valid, within the limits, and may run. */
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Context } from '../../context.ts';
import type { CompileOperation, ExecuteToText } from '../../execution/compile-operation.ts';
import type { FindKeptOperation, KeptOperation } from '../kept-operations.ts';
import { bytesPerToken } from '../limits/document-cache.ts';
import type { OperationCost } from '../limits/operation-cost.ts';
import { costOfOperation } from '../limits/use-limits.ts';
import { type TimedOperation, timedOperation } from '../use-operation-metrics.ts';

const maxBytes = 64 * 1_024 * 1_024;

/** The document of a request, and which of its operations is asked for; null: the only one. */
export interface AskedOperation {
  readonly text: string;
  readonly operationName: string | null;
}

/** What an operation was let through with. */
export interface LetThrough {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  /** The long way's own, of a mutation. null: a query, which its cache may have bound to one request. */
  readonly execute: Execute | null;
}

type Execute = (args: ExecutionArgs) => unknown;

/** Executes a mutation as the long way does; the variables are as the client sent them. */
export type ExecuteMutation = (
  context: Context,
  variables: Readonly<Record<string, unknown>>,
) => Promise<ExecutionResult>;

/** An operation, with what it takes to run it. */
export type PreparedOperation = PreparedQuery | PreparedMutation;

interface Prepared {
  readonly name: string | undefined;
  readonly timed: TimedOperation;
  readonly costOf: OperationCost;
  /** null: the variables are wrong. */
  coerce(variables: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | null;
}

export interface PreparedQuery extends Prepared {
  /** null: its answers are not kept. */
  readonly kept: KeptOperation | null;
  readonly execute: ExecuteToText;
  readonly mutate: null;
}

interface PreparedMutation extends Prepared {
  readonly mutate: ExecuteMutation;
}

interface PreparedDocument extends LetThrough {
  /** By the name that is asked for. undefined: it may run, and is compiled when it is asked for again; null: it cannot be. */
  readonly operations: Map<string | null, PreparedOperation | null | undefined>;
}

export interface PreparedOperationsOptions {
  readonly compile: CompileOperation;
  /** Default: no answers are kept. */
  readonly keptOperationOf?: FindKeptOperation | undefined;
}

const noVariables: Readonly<Record<string, unknown>> = Object.freeze({});

/** Bounded in bytes, the least recently used first to go. */
export class PreparedOperations {
  readonly #options: PreparedOperationsOptions;
  readonly #documents = new LRUCache<string, PreparedDocument>({
    maxSize: maxBytes,
    // An operation with as many tokens as the limits admit takes 2.4 MB.
    maxEntrySize: maxBytes / 16,
    sizeCalculation: ({ document }, text) => bytesOf(document, text),
  });

  constructor(options: PreparedOperationsOptions) {
    this.#options = options;
  }

  /** Notes an operation that may run, whatever its variables. */
  learn({ text, operationName }: AskedOperation, letThrough: LetThrough): void {
    let known = this.#documents.get(text);
    if (known?.document !== letThrough.document) {
      known = { ...letThrough, operations: new Map() };
      this.#documents.set(text, known);
    }
    if (!known.operations.has(operationName)) known.operations.set(operationName, undefined);
  }

  /** null: it is one for the long way. */
  find({ text, operationName }: AskedOperation): PreparedOperation | null {
    const known = this.#documents.get(text);
    if (known === undefined) return null;
    const { operations } = known;
    let operation = operations.get(operationName);
    // Only what is asked for a second time is worth compiling.
    if (operation === undefined && operations.has(operationName)) {
      operation = prepare(known, operationName, this.#options);
      operations.set(operationName, operation);
    }
    return operation ?? null;
  }
}

function prepare(
  letThrough: LetThrough,
  operationName: string | null,
  { compile, keptOperationOf }: PreparedOperationsOptions,
): PreparedOperation | null {
  const { schema, document } = letThrough;
  const operation = getOperationAST(document, operationName);
  if (!operation) return null;
  const prepared = {
    name: operation.name?.value,
    timed: timedOperation(document, operationName),
    costOf: costOfOperation(schema, document, operation),
  };
  if (operation.operation === 'mutation' && letThrough.execute !== null) {
    // The executor coerces variables, and says what is wrong with them.
    const coerce = (variables: Readonly<Record<string, unknown>>) => variables;
    return { ...prepared, coerce, mutate: createMutation(letThrough, letThrough.execute, operationName) };
  }
  const execute = compile(schema, document, operation);
  if (execute === null) return null;
  const kept = keptOperationOf?.(schema, document, operation) ?? null;
  return { ...prepared, kept, coerce: createCoercion(schema, operation), execute, mutate: null };
}

function createMutation(
  { schema, document }: LetThrough,
  execute: Execute,
  operationName: string | null,
): ExecuteMutation {
  return async (contextValue, variableValues) =>
    (await execute({ schema, document, contextValue, variableValues, operationName })) as ExecutionResult;
}

function createCoercion(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
): PreparedOperation['coerce'] {
  if (variableDefinitions.length === 0) return () => noVariables;
  return (variables) => {
    const { variableValues } = getVariableValues(schema, variableDefinitions, variables, { maxErrors: 1 });
    return variableValues?.coerced ?? null;
  };
}

/** Of the document, and of what is compiled for each of its operations, which is taken to be as much again. */
function bytesOf(document: DocumentNode, text: string): number {
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION).length;
  return (document.tokenCount ?? 0) * bytesPerToken * (1 + operations) + text.length * 2 + 500;
}
