/** How long the answer to an operation may be kept, and for whom: known from its document, before it runs. */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql';
import { policyOf, typePolicyOf } from '../schema/policy.ts';
import { type AnswerPolicy, NarrowedHint } from './narrowed-hint.ts';

/**
 * The policy of a query: of every field it names, whatever its directives and its alias, also below abstract types, the
 * least time and the narrowest scope. null: its answers are not to be kept: it changes something, a root field states no
 * time, or a part says never.
 */
export function answerPolicyOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): AnswerPolicy | null {
  const root = schema.getRootType(operation.operation);
  if (operation.operation !== OperationTypeNode.QUERY || !root) return null;
  const walk = new Walk(schema, document);
  walk.select(operation.selectionSet, [root], true);
  return walk.hint.policy;
}

class Walk {
  readonly hint = new NarrowedHint();
  readonly #schema: GraphQLSchema;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Fragments and the types they were seen on: a cycle, or a second spread, adds nothing. */
  readonly #seen = new Set<string>();

  constructor(schema: GraphQLSchema, document: DocumentNode) {
    this.#schema = schema;
    const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
    this.#fragments = new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
  }

  select({ selections }: SelectionSetNode, parents: readonly GraphQLObjectType[], isRoot: boolean): void {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        for (const parent of parents) this.#field(selection, parent, isRoot);
        continue;
      }
      const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
      const fragment = isSpread ? this.#fragments.get(selection.name.value) : selection;
      if (!fragment) continue;
      const within = this.#within(fragment.typeCondition?.name.value, parents);
      const key = isSpread ? `${selection.name.value} ${within.map(({ name }) => name).join()}` : null;
      if (key !== null && this.#seen.has(key)) continue;
      if (key !== null) this.#seen.add(key);
      this.select(fragment.selectionSet, within, isRoot);
    }
  }

  #field(node: FieldNode, parent: GraphQLObjectType, isRoot: boolean): void {
    const field = this.#schema.getField(parent, node.name.value);
    if (!field || node.name.value === '__typename') return;
    const { scope, cache } = policyOf(field);
    const type = getNamedType(field.type);
    const types = this.#objectsOf(type);
    const hints = [...(cache ? [cache] : []), ...types.flatMap((each) => typePolicyOf(each).cache ?? [])];
    for (const hint of hints) this.hint.narrow(hint);
    if (isRoot && hints.every(({ maxAgeSeconds }) => maxAgeSeconds === undefined))
      this.hint.narrow({ maxAgeSeconds: 0 });
    if (isRoot && hints.every((hint) => hint.scope === undefined)) this.hint.narrow({ scope: 'viewer' });
    // What needs a token is nobody's who has none.
    if (scope !== undefined && scope !== 'none') this.hint.narrow({ scope: 'organization' });
    if (node.selectionSet) this.select(node.selectionSet, types, false);
  }

  #objectsOf(type: GraphQLNamedType): readonly GraphQLObjectType[] {
    if (!isCompositeType(type)) return [];
    return isObjectType(type) ? [type] : this.#schema.getPossibleTypes(type);
  }

  #within(condition: string | undefined, parents: readonly GraphQLObjectType[]): readonly GraphQLObjectType[] {
    if (condition === undefined) return parents;
    const type = this.#schema.getType(condition);
    return parents.filter(
      (parent) => parent === type || (isAbstractType(type) && this.#schema.isSubType(type, parent)),
    );
  }
}
