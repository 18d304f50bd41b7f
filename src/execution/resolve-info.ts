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

/** A field of a plan. */
interface PlannedField {
  readonly scope: SelectionScope & { operation: OperationDefinitionNode };
  readonly parentType: GraphQLObjectType;
  readonly field: GraphQLField<unknown, unknown>;
  readonly nodes: readonly FieldNode[];
}

/**
 * The info of a field's resolvers, one for all parents of a request. Its path is known for fields of the root only: below
 * it, a resolver that asks for it sends the request to graphql's own execution.
 */
export function resolveInfoOf(planned: PlannedField): (run: Run) => GraphQLResolveInfo {
  return (run) => new FieldInfo(planned, run);
}

/** Refers to what it tells: an object of all of it for each field was kept with each document, 4 MB for 1,000 of them. */
class FieldInfo implements GraphQLResolveInfo {
  readonly #planned: PlannedField;
  readonly #run: Run;

  constructor(planned: PlannedField, run: Run) {
    this.#planned = planned;
    this.#run = run;
  }

  get fieldName() {
    return this.#planned.field.name;
  }

  get fieldNodes() {
    return this.#planned.nodes;
  }

  get returnType() {
    return this.#planned.field.type;
  }

  get parentType() {
    return this.#planned.parentType;
  }

  get schema() {
    return this.#planned.scope.schema;
  }

  get fragments(): Record<string, FragmentDefinitionNode> {
    return Object.fromEntries(this.#planned.scope.fragments);
  }

  get rootValue() {
    return undefined;
  }

  get operation() {
    return this.#planned.scope.operation;
  }

  get variableValues() {
    return this.#run.variables;
  }

  get path() {
    const { scope, parentType, field, nodes } = this.#planned;
    if (parentType !== scope.schema.getQueryType()) {
      throw new NotCompiled(`${parentType.name}.${field.name} wants its path`);
    }
    return { prev: undefined, key: nodes[0]!.alias?.value ?? field.name, typename: parentType.name };
  }

  getAbortSignal() {
    return this.#run.context.signal;
  }

  getAsyncHelpers(): never {
    throw new NotCompiled(`${this.fieldName} wants to be waited for after the answer`);
  }
}
