import {
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getDirectiveValues,
  isAbstractType,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  typeFromAST,
} from 'graphql';
import { NotCompiled } from './not-compiled.ts';
import type { VariableValues } from './run.ts';

/** What decides which fields of a document are selected. */
export interface SelectionScope {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly variables: VariableValues;
}

/**
 * The fields of a type that selection sets select, by the key they have in the answer and in its order: CollectFields of
 * the GraphQL specification (September 2025, 6.3.2).
 * @throws NotCompiled for directives other than @skip and @include
 */
export function selectedFields(
  scope: SelectionScope,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
): Map<string, FieldNode[]> {
  const fields = new Map<string, FieldNode[]>();
  const spread = new Set<string>();
  const visit = (set: SelectionSetNode): void => {
    for (const node of set.selections) {
      if (!isIncluded(node, scope.variables)) continue;
      if (node.kind === Kind.FIELD) {
        const key = node.alias?.value ?? node.name.value;
        const nodes = fields.get(key);
        if (nodes) nodes.push(node);
        else fields.set(key, [node]);
      } else if (node.kind === Kind.INLINE_FRAGMENT) {
        if (matches(scope.schema, node.typeCondition, type)) visit(node.selectionSet);
      } else if (!spread.has(node.name.value)) {
        spread.add(node.name.value);
        const fragment = scope.fragments.get(node.name.value);
        if (!fragment) throw new NotCompiled(`no fragment ${node.name.value}`);
        if (matches(scope.schema, fragment.typeCondition, type)) visit(fragment.selectionSet);
      }
    }
  };
  for (const set of selectionSets) visit(set);
  return fields;
}

function isIncluded(node: SelectionNode, variables: VariableValues): boolean {
  for (const { name } of node.directives ?? []) {
    if (name.value !== GraphQLSkipDirective.name && name.value !== GraphQLIncludeDirective.name) {
      throw new NotCompiled(`@${name.value}`);
    }
  }
  if (getDirectiveValues(GraphQLSkipDirective, node, variables)?.if === true) return false;
  return getDirectiveValues(GraphQLIncludeDirective, node, variables)?.if !== false;
}

function matches(
  schema: GraphQLSchema,
  condition: FragmentDefinitionNode['typeCondition'] | undefined,
  type: GraphQLObjectType,
): boolean {
  if (!condition) return true;
  const conditional = typeFromAST(schema, condition);
  return conditional === type || (isAbstractType(conditional) && schema.isSubType(conditional, type));
}
