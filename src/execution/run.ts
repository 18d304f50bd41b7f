import type { GraphQLSchema, getDirectiveValues, OperationDefinitionNode } from 'graphql';
import type { Context } from '../context.ts';

/** Coerced variables, with where each came from. */
export type VariableValues = NonNullable<Parameters<typeof getDirectiveValues>[2]>;

/** One execution. */
export interface Run {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly context: Context;
  readonly variables: VariableValues;
}
