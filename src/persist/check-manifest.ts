import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import { answerPolicyOf } from '../cache/document-policy.ts';
import { type ManifestEntry, readManifest } from '../http/trusted-documents/manifest.ts';
import { describeOperation, operationsOf } from './persisted-operations.ts';

/**
 * What the schema has against the documents of a manifest, and against what the manifest says of them, one line each:
 * the id, the names of its operations, the place, the message.
 */
export function findManifestProblems(schema: GraphQLSchema, manifest: string): string[] {
  try {
    return readManifest(manifest).flatMap((entry) => findEntryProblems(schema, entry));
  } catch (error) {
    return [(error as Error).message];
  }
}

/** The same of one document. */
export function findEntryProblems(schema: GraphQLSchema, entry: ManifestEntry): string[] {
  const { id, body } = entry;
  try {
    const document = parse(body);
    const operations = operationsOf(document);
    if (operations.length === 0) return [`${id}: expected an operation, got none`];
    const names = operations.map(({ name }) => name?.value ?? 'without a name');
    const errors = validate(schema, document).map(describe);
    const problems = errors.length > 0 ? errors : findStatedProblems(schema, document, operations, entry);
    return problems.map((problem) => `${id} (${names.join(', ')}): ${problem}`);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return [`${id}: ${describe(error)}`];
  }
}

function findStatedProblems(
  schema: GraphQLSchema,
  document: DocumentNode,
  operations: readonly OperationDefinitionNode[],
  { operation: stated, warmUp = [] }: ManifestEntry,
): string[] {
  const [operation, ...others] = operations;
  const isSingle = others.length === 0;
  const actual = isSingle ? Object.entries(describeOperation(schema, document, operation!)) : [];
  const wrong = actual.flatMap(([key, value]) => {
    const [given, expected] = [stated[key], value].map((each) => JSON.stringify(each));
    return given === undefined || given === expected ? [] : [`${key}: expected ${expected}, got ${given}`];
  });
  if (warmUp.length === 0) return wrong;
  if (!isSingle) return ['warmUp: expected a document with one operation'];
  return [...wrong, ...findWarmUpProblems(schema, document, operation!, warmUp)];
}

/** What is against running an operation with such variables at the start of a server. */
export function findWarmUpProblems(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  warmUp: NonNullable<ManifestEntry['warmUp']>,
): string[] {
  if (answerPolicyOf(schema, document, operation)?.scope !== 'public') {
    return ['warmUp: expected a query whose answers are public'];
  }
  return warmUp.flatMap((variables, index) => {
    const { errors = [] } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
    return errors.map(({ message }) => `warmUp.${index}: ${message}`);
  });
}

function describe({ message, locations }: GraphQLError): string {
  return `line ${locations?.[0]?.line ?? 1}: ${message}`;
}
