import {
  type DocumentNode,
  type ExecutableDefinitionNode,
  type FragmentDefinitionNode,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** What a document holds before anything is known of its types. */
export interface DocumentSize {
  tokens: number;
  /** Fields inside fields of its deepest operation, fragments spread. */
  depth: number;
  /** Mentions, those of `__typename` included. */
  aliases: number;
  /** The most that one of its operations selects, each mention counted, fragments spread. */
  rootFields: number;
  directives: number;
  /** Pairs of fields with selections that share a name in the answer: what validation may compare with each other. */
  fieldPairs: number;
  hasFragmentCycle: boolean;
}

/**
 * Measures a document in one walk that visits each part once, whatever spreads it, so that it takes time in proportion
 * to the tokens; it may run before validation: unknown and cyclic fragments count nothing.
 */
export function measureDocument(document: DocumentNode): DocumentSize {
  const walk = new Walk(document);
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const extents = operations.map((operation) => {
    for (const variable of operation.variableDefinitions ?? []) walk.countDirectives(variable);
    return walk.definition(operation);
  });
  walk.allFragments();
  return {
    tokens: document.tokenCount ?? 0,
    depth: extents.reduce((most, { depth }) => Math.max(most, depth), 0),
    aliases: walk.aliases,
    rootFields: extents.reduce((most, { fields }) => Math.max(most, fields), 0),
    directives: walk.directives,
    fieldPairs: walk.fieldPairs(),
    hasFragmentCycle: walk.hasFragmentCycle,
  };
}

interface Extent {
  depth: number;
  /** Of the selection itself, not below it. */
  fields: number;
}

const nothing: Extent = { depth: 0, fields: 0 };

class Walk {
  aliases = 0;
  directives = 0;
  hasFragmentCycle = false;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** null: being walked. */
  readonly #extents = new Map<string, Extent | null>();
  readonly #mentions = new Map<string, number>();

  constructor({ definitions }: DocumentNode) {
    const fragments = definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
    this.#fragments = new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
  }

  countDirectives({ directives }: { directives?: readonly unknown[] | undefined }): void {
    this.directives += directives?.length ?? 0;
  }

  definition(definition: ExecutableDefinitionNode): Extent {
    this.countDirectives(definition);
    return this.#selections(definition.selectionSet);
  }

  /** Those that no operation spreads count, too. */
  allFragments(): void {
    for (const name of this.#fragments.keys()) this.#fragment(name);
  }

  fieldPairs(): number {
    let pairs = 0;
    for (const count of this.#mentions.values()) pairs += (count * (count - 1)) / 2;
    return pairs;
  }

  #selections({ selections }: SelectionSetNode): Extent {
    let depth = 0;
    let fields = 0;
    for (const selection of selections) {
      this.countDirectives(selection);
      const extent = this.#selection(selection);
      depth = Math.max(depth, extent.depth);
      fields = Math.min(fields + extent.fields, Number.MAX_SAFE_INTEGER);
    }
    return { depth, fields };
  }

  #selection(selection: SelectionNode): Extent {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return this.#fragment(selection.name.value);
    if (selection.kind === Kind.INLINE_FRAGMENT) return this.#selections(selection.selectionSet);
    const { alias, name, selectionSet } = selection;
    if (alias) this.aliases += 1;
    if (!selectionSet) return { depth: 1, fields: 1 };
    const responseName = (alias ?? name).value;
    this.#mentions.set(responseName, (this.#mentions.get(responseName) ?? 0) + 1);
    return { depth: 1 + this.#selections(selectionSet).depth, fields: 1 };
  }

  #fragment(name: string): Extent {
    const known = this.#extents.get(name);
    if (known === null) this.hasFragmentCycle = true;
    if (known !== undefined) return known ?? nothing;
    const fragment = this.#fragments.get(name);
    if (!fragment) return nothing;
    this.#extents.set(name, null);
    const extent = this.definition(fragment);
    this.#extents.set(name, extent);
    return extent;
  }
}
