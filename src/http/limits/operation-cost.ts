import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isLeafType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { type ListSize, policyOf } from '../../schema/policy.ts';
import { type Cost, costIn, largest, once, product, sum, when } from './cost-expression.ts';
import { conditionOf, defaultsOf, type Slice, sliceOf, type VariableDefaults } from './given-value.ts';

/** The cost of an operation with the variables of a request, in whole points. */
export type OperationCost = (variables: Readonly<Record<string, unknown>>) => number;

/**
 * Compiles the cost of an operation, after https://ibm.github.io/graphql-specs/cost-spec.html: a field costs its weight
 * once for each parent; an object in a list costs 1 and what is selected of it; an input object of a sliced list
 * costs 1. Each mention counts, also of a field that execution would merge with another, and of an abstract type the
 * costliest one. Whatever does not depend on variables is counted here, once for each document.
 */
export function compileCost(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): OperationCost {
  const cost = new Compiler(schema, document, operation).compile();
  return (variables) => Math.ceil(costIn({ variables, fragments: [] }, cost));
}

/** What a selection costs: apart from its sized fields, and for each item of these. */
interface SelectionCost {
  fixed: Cost;
  perItem: Cost;
}

const noFields: readonly string[] = [];
/** Lists that state no size; also those of introspection, whose average is below this. */
const unstatedSize = 4;
/** Introspection reads what is in memory. */
const introspectionWeight = 0.1;

class Compiler {
  readonly #schema: GraphQLSchema;
  readonly #operation: OperationDefinitionNode;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #defaults: VariableDefaults;
  /** By fragment, parent type and sized fields. */
  readonly #compiled = new Map<string, SelectionCost>();
  #slots = 0;

  constructor(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) {
    this.#schema = schema;
    this.#operation = operation;
    this.#defaults = defaultsOf(operation.variableDefinitions);
    const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
    this.#fragments = new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
  }

  compile(): Cost {
    const root = this.#schema.getRootType(this.#operation.operation);
    return root ? this.#selectionOf(this.#operation.selectionSet, root, noFields).fixed : 0;
  }

  #selectionOf({ selections }: SelectionSetNode, parent: GraphQLObjectType, sized: readonly string[]): SelectionCost {
    const costs = selections.map((selection) => {
      const condition = conditionOf(selection.directives, this.#defaults);
      const { fixed, perItem } = this.#partOf(selection, parent, sized);
      return { fixed: when(condition, fixed), perItem: when(condition, perItem) };
    });
    return { fixed: sum(costs.map(({ fixed }) => fixed)), perItem: sum(costs.map(({ perItem }) => perItem)) };
  }

  #partOf(selection: SelectionNode, parent: GraphQLObjectType, sized: readonly string[]): SelectionCost {
    if (selection.kind === Kind.FIELD) return this.#fieldOf(selection, parent, sized);
    const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
    const fragment = isSpread ? this.#fragments.get(selection.name.value) : selection;
    const condition = fragment?.typeCondition?.name.value;
    if (!fragment || (condition !== undefined && !this.#isPossible(condition, parent))) return nothing;
    if (!isSpread) return this.#selectionOf(fragment.selectionSet, parent, sized);
    const key = `${selection.name.value} ${parent.name} ${sized.join()}`;
    const known = this.#compiled.get(key);
    if (known) return known;
    // Validation refuses a cycle; here it only must end.
    this.#compiled.set(key, nothing);
    const { fixed, perItem } = this.#selectionOf(fragment.selectionSet, parent, sized);
    const compiled = { fixed: once(fixed, this.#slots++), perItem: once(perItem, this.#slots++) };
    this.#compiled.set(key, compiled);
    return compiled;
  }

  #isPossible(condition: string, parent: GraphQLObjectType): boolean {
    const type = this.#schema.getType(condition);
    return type === parent || (isAbstractType(type) && this.#schema.isSubType(type, parent));
  }

  #fieldOf(node: FieldNode, parent: GraphQLObjectType, sized: readonly string[]): SelectionCost {
    const field = this.#schema.getField(parent, node.name.value);
    if (!field) return nothing;
    const { cost, listSize } = policyOf(field);
    const type = getNamedType(field.type);
    if (isLeafType(type)) return { fixed: cost ?? 0, perItem: 0 };
    const isIntrospection = type.name.startsWith('__');
    const weight = isIntrospection ? introspectionWeight : 1;
    const isList = isListType(getNullableType(field.type));
    const slice = this.#sliceOf(field, node, listSize, isIntrospection);
    const inner = this.#objectOf(node, type, listSize?.sizedFields ?? noFields);
    const content = listSize?.sizedFields ? sum([inner.fixed, product(slice.size, inner.perItem)]) : inner.fixed;
    if (!isList) return { fixed: sum([cost ?? weight, slice.inputItems, content]), perItem: 0 };
    const item = sum([weight, content]);
    if (sized.includes(field.name)) return { fixed: cost ?? 0, perItem: item };
    return { fixed: sum([cost ?? 0, slice.inputItems, product(slice.size, item)]), perItem: 0 };
  }

  #sliceOf(
    field: GraphQLField<unknown, unknown>,
    node: FieldNode,
    listSize: ListSize | undefined,
    isIntrospection: boolean,
  ): Slice {
    if (!listSize) {
      const isTypes = isIntrospection && field.name === 'types';
      return { size: isTypes ? Object.keys(this.#schema.getTypeMap()).length : unstatedSize, inputItems: 0 };
    }
    const values = new Map(node.arguments?.map(({ name, value }) => [name.value, value]));
    return sliceOf(field, values, listSize, this.#defaults);
  }

  /** What is selected of an object; of an abstract type, the most that one of its types can cost. */
  #objectOf({ selectionSet }: FieldNode, type: GraphQLNamedType, sized: readonly string[]): SelectionCost {
    if (!selectionSet || !isCompositeType(type)) return nothing;
    if (isObjectType(type)) return this.#selectionOf(selectionSet, type, sized);
    const costs = this.#schema.getPossibleTypes(type).map((each) => this.#selectionOf(selectionSet, each, sized));
    return { fixed: largest(costs.map(({ fixed }) => fixed)), perItem: largest(costs.map(({ perItem }) => perItem)) };
  }
}

const nothing: SelectionCost = { fixed: 0, perItem: 0 };
