import { type DocumentNode, type GraphQLSchema, Kind, type OperationDefinitionNode, visit } from 'graphql';
import type { Context } from '../context.ts';
import { NotCompiled } from './not-compiled.ts';
import type { VariableValues } from './run.ts';
import { compileSelection, type Selection } from './selection.ts';

/**
 * Executes an operation.
 * @param variables coerced, as getVariableValues of graphql does it
 * @returns the text of the whole result, `{"data":{…}}`; null: only graphql's own execution can tell, because something failed
 * or was unusual. It has to run all of it then, so this is for queries alone
 */
export type ExecuteToText = (context: Context, variables: Readonly<Record<string, unknown>>) => Promise<string | null>;

/** How operations are compiled; null: this one is for the long way, always. */
export type CompileOperation = (
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
) => ExecuteToText | null;

/** Of one operation: each set of conditions of @skip and @include is a selection of its own. */
const maxSelections = 64;

/**
 * A query as a plan that takes whole lists from field to field and writes the answer's text at once, without a promise, a
 * path or an object for each value. It answers what graphql's execution answers where nothing fails, and null otherwise.
 * null: no such plan, for mutations, subscriptions, introspection and incremental delivery.
 *
 * @param operation a valid one of the document
 */
export function compileOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): ExecuteToText | null {
  if (operation.operation !== 'query') return null;
  const conditions = conditionVariables(document);
  const selections = new Map<string, Selection | null>();
  const selectionFor = (variables: VariableValues): Selection | null => {
    const key = conditions.map((name) => String(variables.coerced[name])).join();
    let selection = selections.get(key);
    if (selection === undefined) {
      if (selections.size >= maxSelections) return null;
      selection = compileOrNull(() => compileSelection(schema, document, operation, variables));
      selections.set(key, selection);
    }
    return selection;
  };
  // Without conditions there is one selection: what has no plan is known before the first request.
  if (conditions.length === 0 && selectionFor({ sources: {}, coerced: {} }) === null) return null;
  return async (context, coerced) => {
    const variables = { sources: {}, coerced };
    try {
      const select = selectionFor(variables);
      if (select === null) return null;
      const data = await select([undefined], { schema, operation, context, variables });
      return `${data.append('{"data":', 0)}}`;
    } catch {
      return null;
    }
  };
}

function compileOrNull(compile: () => Selection): Selection | null {
  try {
    return compile();
  } catch (error) {
    if (error instanceof NotCompiled) return null;
    throw error;
  }
}

/** Variables that stand in a directive of the document. */
function conditionVariables(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    Directive: ({ arguments: given }) => {
      for (const { value } of given ?? []) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return [...names].sort();
}
