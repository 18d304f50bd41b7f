import type {
  FieldNode,
  FragmentDefinitionNode,
  GraphQLField,
  GraphQLObjectType,
  GraphQLResolveInfo,
  OperationDefinitionNode,
} from 'graphql';
import { NotCompiled } from './not-compiled.ts';
import type { Run } from './run.ts';
import type { SelectionScope } from './selected-fields.ts';

/**
 * The info of a field's resolvers, one for all parents of a request. Its path is known for fields of the root only: below
 * it, a resolver that asks for it sends the request to graphql's own execution.
 */
export function resolveInfoOf(
  { schema, fragments, operation }: SelectionScope & { operation: OperationDefinitionNode },
  parentType: GraphQLObjectType,
  field: GraphQLField<unknown, unknown>,
  fieldNodes: readonly FieldNode[],
): (run: Run) => GraphQLResolveInfo {
  const isRoot = parentType === schema.getQueryType();
  const key = fieldNodes[0]!.alias?.value ?? field.name;
  const definitions: Record<string, FragmentDefinitionNode> = Object.fromEntries(fragments);
  const fixed = {
    fieldName: field.name,
    fieldNodes,
    returnType: field.type,
    parentType,
    schema,
    fragments: definitions,
    rootValue: undefined,
    operation,
    get path() {
      if (!isRoot) throw new NotCompiled(`${parentType.name}.${field.name} wants its path`);
      return { prev: undefined, key, typename: parentType.name };
    },
  };
  return ({ context, variables }) =>
    Object.assign(Object.create(fixed), {
      variableValues: variables,
      getAbortSignal: () => context.signal,
    }) as GraphQLResolveInfo;
}
