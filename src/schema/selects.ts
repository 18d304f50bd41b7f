import { type FieldNode, type GraphQLResolveInfo, Kind, type SelectionSetNode } from 'graphql';

type SelectionInfo = Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>;

/** A field of a document selects the same in every request. */
const namesByField = new WeakMap<FieldNode, ReadonlySet<string>>();

/**
 * Whether a field of this name may be selected of what the field at hand answers: whatever @skip, @include and the types of
 * fragments leave of it, so that it costs nothing to ask. For resolvers that fetch with a row what will be asked of it.
 */
export function selects({ fieldNodes, fragments }: SelectionInfo, name: string): boolean {
  return fieldNodes.some((node) => {
    let names = namesByField.get(node);
    if (!names) {
      names = namesOf(node.selectionSet, fragments);
      namesByField.set(node, names);
    }
    return names.has(name);
  });
}

function namesOf(selectionSet: SelectionSetNode | undefined, fragments: SelectionInfo['fragments']): Set<string> {
  const names = new Set<string>();
  const spread = new Set<string>();
  const visit = (set: SelectionSetNode | undefined): void => {
    for (const node of set?.selections ?? []) {
      if (node.kind === Kind.FIELD) names.add(node.name.value);
      else if (node.kind === Kind.INLINE_FRAGMENT) visit(node.selectionSet);
      else if (!spread.has(node.name.value)) {
        spread.add(node.name.value);
        visit(fragments[node.name.value]?.selectionSet);
      }
    }
  };
  visit(selectionSet);
  return names;
}
