import {
  type DefinitionNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionSetNode,
  validate,
  visit,
} from 'graphql';
import { compileCost } from '../http/limits/operation-cost.ts';
import { type ClientDefinitions, type Problem, problemsOf } from './client-definitions.ts';
import { documentIdOf, type ManifestFormat } from './manifest-formats.ts';

/** One operation with all the fragments it needs. */
export interface PersistedOperation {
  /** Made of the body, or what another manifest calls it. */
  id: string;
  name: string;
  type: 'query' | 'mutation' | 'subscription';
  body: string;
  /** In points, with every variable at its default, and left out where it has none. */
  cost: number;
  /** Types by name, in their order. */
  variables: Record<string, string>;
  /** What to run it with at the start of a server. */
  warmUp?: { variables: Readonly<Record<string, unknown>> }[];
}

export interface PersistOptions {
  format: ManifestFormat;
  /** Whether each selection below the operation's own asks for __typename, as Apollo Client has it. */
  addsTypename: boolean;
}

/**
 * Puts each operation together with its fragments, and checks it against the schema.
 * @returns operations by name; problems by file and line, those of the definitions among them
 */
export function persistOperations(
  schema: GraphQLSchema,
  { operations, fragments, problems }: ClientDefinitions,
  { addsTypename, format }: PersistOptions,
): { operations: PersistedOperation[]; problems: Problem[] } {
  const found = new Map<string, Problem>();
  const report = (problem: Problem) => found.set(`${problem.file}:${problem.line}: ${problem.message}`, problem);
  for (const problem of problems) report(problem);
  const persisted = operations.flatMap((operation) => {
    const document: DocumentNode = { kind: Kind.DOCUMENT, definitions: withFragments(operation, fragments) };
    const errors = validate(schema, document);
    // A fragment is part of several operations: each error once.
    for (const error of errors) for (const problem of problemsOf(error)) report(problem);
    return errors.length > 0 ? [] : [persist(schema, addsTypename ? withTypename(document) : document, format)];
  });
  return {
    operations: persisted.sort((one, other) => compare(one.name, other.name)),
    problems: [...found.values()].sort((one, other) => compare(one.file, other.file) || one.line - other.line),
  };
}

function persist(schema: GraphQLSchema, document: DocumentNode, format: ManifestFormat): PersistedOperation {
  const body = print(document);
  const id = documentIdOf(body, format);
  return { id, body, ...describeOperation(schema, document, operationsOf(document)[0]!) };
}

/** What a manifest says of an operation of a valid document. */
export function describeOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): Pick<PersistedOperation, 'name' | 'type' | 'cost' | 'variables'> {
  const variables = operation.variableDefinitions ?? [];
  return {
    name: operation.name?.value ?? '',
    type: operation.operation,
    cost: compileCost(schema, document, operation)({}),
    variables: Object.fromEntries(variables.map(({ variable, type }) => [variable.name.value, print(type)])),
  };
}

export function operationsOf({ definitions }: DocumentNode): OperationDefinitionNode[] {
  return definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
}

/** The operation, and behind it by name what it spreads; unknown fragments are left for validation to name. */
function withFragments(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): DefinitionNode[] {
  const needed = new Map<string, FragmentDefinitionNode>();
  const collect = (definition: DefinitionNode) =>
    visit(definition, {
      FragmentSpread({ name }) {
        const fragment = fragments.get(name.value);
        if (!fragment || needed.has(name.value)) return;
        needed.set(name.value, fragment);
        collect(fragment);
      },
    });
  collect(operation);
  return [operation, ...[...needed.values()].sort((one, other) => compare(one.name.value, other.name.value))];
}

function withTypename(document: DocumentNode): DocumentNode {
  return visit(document, {
    SelectionSet(node, _key, parent): SelectionSetNode | undefined {
      const isRoot = (parent as { kind?: string } | undefined)?.kind === Kind.OPERATION_DEFINITION;
      const isAsked = node.selections.some(
        (selection) => selection.kind === Kind.FIELD && selection.name.value === '__typename',
      );
      const isIntrospection = node.selections.some(
        (selection) => selection.kind === Kind.FIELD && selection.name.value.startsWith('__'),
      );
      if (isRoot || isAsked || isIntrospection) return undefined;
      const typename = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } } as const;
      return { ...node, selections: [...node.selections, typename] };
    },
  });
}

/** By code units: the same everywhere. */
function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
