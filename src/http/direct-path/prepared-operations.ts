/** What is known of operations that have gone the long way: they parse, are valid, within the limits, and may run. */
import {
  type DocumentNode,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
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

/** An operation, with what it takes to run it. */
export interface PreparedOperation {
  readonly name: string | undefined;
  readonly timed: TimedOperation;
  readonly costOf: OperationCost;
  /** null: its answers are not kept. */
  readonly kept: KeptOperation | null;
  readonly execute: ExecuteToText;
  /** null: the variables are wrong. */
  coerce(variables: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | null;
}

interface PreparedDocument {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
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
  learn({ text, operationName }: AskedOperation, schema: GraphQLSchema, document: DocumentNode): void {
    let known = this.#documents.get(text);
    if (known?.document !== document) {
      known = { schema, document, operations: new Map() };
      this.#documents.set(text, known);
    }
    if (!known.operations.has(operationName)) known.operations.set(operationName, undefined);
  }

  /** null: it is one for the long way. */
  find({ text, operationName }: AskedOperation): PreparedOperation | null {
    const known = this.#documents.get(text);
    if (known === undefined) return null;
    const { schema, document, operations } = known;
    let operation = operations.get(operationName);
    // Only what is asked for a second time is worth compiling.
    if (operation === undefined && operations.has(operationName)) {
      operation = prepare(schema, document, operationName, this.#options);
      operations.set(operationName, operation);
    }
    return operation ?? null;
  }
}

function prepare(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null,
  { compile, keptOperationOf }: PreparedOperationsOptions,
): PreparedOperation | null {
  const operation = getOperationAST(document, operationName);
  const execute = operation ? compile(schema, document, operation) : null;
  if (!operation || execute === null) return null;
  return {
    name: operation.name?.value,
    timed: timedOperation(document, operationName),
    costOf: costOfOperation(schema, document, operation),
    kept: keptOperationOf?.(schema, document, operation) ?? null,
    execute,
    coerce: createCoercion(schema, operation),
  };
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
