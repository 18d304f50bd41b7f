import {
  type DocumentNode,
  type FieldNode,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getArgumentValues,
  getDirectiveValues,
  getNamedType,
  getNullableType,
  getOperationAST,
  getVariableValues,
  isAbstractType,
  isLeafType,
  isListType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { type ListSize, policyOf } from '../../schema/policy.ts';

interface Sized {
  fields: readonly string[];
  size: number;
}

/** The cost of the only operation of a document, straight from graphql's coerced values and without any short cut. */
export function slowCost(schema: GraphQLSchema, document: DocumentNode, given: Record<string, unknown>): number {
  const operation = getOperationAST(document)!;
  const { variableValues, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], given);
  if (!variableValues) throw errors![0]!;
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);

  const ofSelections = ({ selections }: SelectionSetNode, type: GraphQLObjectType, sized: Sized): number => {
    let total = 0;
    for (const selection of selections) {
      const skip = getDirectiveValues(GraphQLSkipDirective, selection, variableValues);
      const include = getDirectiveValues(GraphQLIncludeDirective, selection, variableValues);
      if (skip?.if === true || include?.if === false) continue;
      if (selection.kind === Kind.FIELD) {
        total += ofField(selection, type, sized);
        continue;
      }
      const fragment =
        selection.kind === Kind.INLINE_FRAGMENT
          ? selection
          : fragments.find((candidate) => candidate.name.value === selection.name.value)!;
      const condition = schema.getType(fragment.typeCondition?.name.value ?? type.name)!;
      const applies = condition === type || (isAbstractType(condition) && schema.isSubType(condition, type));
      if (applies) total += ofSelections(fragment.selectionSet, type, sized);
    }
    return total;
  };

  const ofField = (node: FieldNode, parent: GraphQLObjectType, sized: Sized): number => {
    const field = schema.getField(parent, node.name.value)!;
    const { cost, listSize } = policyOf(field);
    const answer = getNamedType(field.type);
    if (isLeafType(answer)) return cost ?? 0;
    const values = getArgumentValues(field, node, variableValues);
    const size = sizeOf(listSize, values);
    const inputItems = countInputObjects(listSize, values);
    const inner = { fields: listSize?.sizedFields ?? [], size };
    const types = isObjectType(answer) ? [answer] : schema.getPossibleTypes(answer as never);
    const content = Math.max(...types.map((type) => ofSelections(node.selectionSet!, type, inner)));
    if (!isListType(getNullableType(field.type))) return (cost ?? 1) + inputItems + content;
    const items = sized.fields.includes(field.name) ? sized.size : size;
    return (cost ?? 0) + inputItems + items * (1 + content);
  };

  const root = schema.getRootType(operation.operation)!;
  return ofSelections(operation.selectionSet, root, { fields: [], size: 0 });
}

/** Each object of a list that an argument is sliced by costs 1. */
function countInputObjects({ slicingArguments = [] }: ListSize = {}, values: Record<string, unknown>): number {
  const lists = slicingArguments.map((name) => values[name]).filter((value) => Array.isArray(value));
  return Math.max(0, ...lists.map((list) => (typeof list[0] === 'object' ? list.length : 0)));
}

function sizeOf(
  { slicingArguments = [], assumedSize, maxSize = Number.POSITIVE_INFINITY }: ListSize = {},
  values: Record<string, unknown>,
): number {
  const sizes = slicingArguments
    .map((name) => values[name])
    .filter((value) => value !== undefined && value !== null)
    .map((value) => (Array.isArray(value) ? value.length : Math.max(0, Math.min(value as number, maxSize))));
  return sizes.length > 0 ? Math.max(...sizes) : (assumedSize ?? 4);
}
