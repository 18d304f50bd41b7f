import {
  type DocumentNode,
  executeRootSelectionSet,
  type FieldNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  type ValidatedExecutionArgs,
  validateExecutionArgs,
  visit,
} from 'graphql';
import type { CompileOperation } from '../../execution/compile-operation.ts';

/** Queries by graphql's own executor, introspection left out: the reference of what others compile. */
export const compileByReference: CompileOperation = (schema, document, operation) => {
  if (operation.operation !== 'query' || isIntrospection(document)) return null;
  const args = argumentsWithoutVariables(schema, document, operation);
  return async (contextValue, coerced) => {
    const variableValues = { sources: {}, coerced: coerced as Record<string, unknown> };
    const result = await executeRootSelectionSet({ ...args, contextValue, variableValues });
    return result.errors?.length ? null : JSON.stringify(result);
  };
};

/** Variables are coerced already, and their definitions are needed for nothing else. */
function argumentsWithoutVariables(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): ValidatedExecutionArgs {
  const bare: OperationDefinitionNode = { ...operation, variableDefinitions: [] };
  const definitions = document.definitions.map((definition) => (definition === operation ? bare : definition));
  const operationName = operation.name?.value;
  const args = validateExecutionArgs({
    schema,
    document: { ...document, definitions },
    ...(operationName !== undefined && { operationName }),
  });
  if (!('schema' in args)) throw new AggregateError(args, 'an operation that has run cannot be executed');
  return args;
}

function isIntrospection(document: DocumentNode): boolean {
  let isFound = false;
  visit(document, {
    [Kind.FIELD]: ({ name }: FieldNode) => {
      isFound ||= name.value === '__schema' || name.value === '__type';
    },
  });
  return isFound;
}
