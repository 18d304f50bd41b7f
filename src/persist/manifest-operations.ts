/** What a new manifest takes over from another one. */
import { type GraphQLSchema, parse } from 'graphql';
import { StartupError } from '../errors.ts';
import { type ManifestEntry, readManifest } from '../http/trusted-documents/manifest.ts';
import { findEntryProblems, findWarmUpProblems } from './check-manifest.ts';
import { describeOperation, operationsOf, type PersistedOperation } from './persisted-operations.ts';

/**
 * The operations of a manifest that another tool wrote, with their ids; what it says of them is made anew.
 * @returns problems as findManifestProblems says them
 */
export function readManifestOperations(
  schema: GraphQLSchema,
  manifest: string,
): { operations: PersistedOperation[]; problems: string[] } {
  // Nothing it says is held against it.
  const entries = readEntries(manifest).map((entry) => ({ ...entry, operation: {} }));
  const problems = entries.flatMap((entry) => findEntryProblems(schema, entry));
  if (problems.length > 0) return { operations: [], problems };
  const operations = entries.flatMap(({ id, body, warmUp }) => {
    const document = parse(body);
    const [operation, ...others] = operationsOf(document);
    if (others.length > 0) problems.push(`${id}: expected one operation, got ${others.length + 1}`);
    const described = describeOperation(schema, document, operation!);
    return { id, body, ...described, ...(warmUp && { warmUp: warmUp.map((variables) => ({ variables })) }) };
  });
  return { operations, problems };
}

function readEntries(manifest: string): ManifestEntry[] {
  try {
    return readManifest(manifest);
  } catch (error) {
    throw new StartupError(`--manifest: ${(error as Error).message}`);
  }
}

/**
 * Gives operations the `warmUp` of those that had their names in the manifest before, which people wrote into it.
 * @returns the operations, and a line for each whose former variables are no longer good
 */
export function keepWarmUps(
  schema: GraphQLSchema,
  operations: readonly PersistedOperation[],
  before: readonly ManifestEntry[],
): { operations: PersistedOperation[]; dropped: string[] } {
  const known = new Map(before.flatMap(({ operation, warmUp }) => (warmUp ? [[operation.name, warmUp] as const] : [])));
  const dropped: string[] = [];
  const kept = operations.map((operation) => {
    const warmUp = operation.warmUp ? undefined : known.get(operation.name);
    if (!warmUp) return operation;
    const document = parse(operation.body);
    const problems = findWarmUpProblems(schema, document, operationsOf(document)[0]!, warmUp);
    if (problems.length === 0) return { ...operation, warmUp: warmUp.map((variables) => ({ variables })) };
    dropped.push(...problems.map((problem) => `${operation.name}: ${problem}`));
    return operation;
  });
  return { operations: kept, dropped };
}
