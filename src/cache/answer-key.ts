/** Names of answers: to be read by people who look into Redis, and never one name for two answers. */
import { createHash, hash } from 'node:crypto';
import {
  type DocumentNode,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  type OperationDefinitionNode,
  print,
  printSchema,
  typeFromAST,
} from 'graphql';

/** Before every key in Redis. */
export const answerKeyPrefix = 'tributary:answer';

/** Characters; a client chooses the names of its operations. */
const maxNameLength = 64;
/** Characters; longer variables stand in a key by their hash. */
const maxReadableLength = 128;
/** What people typed may be secret, and stands in a key by its hash; these hold no text. */
const readableTypes = new Set(['ID', 'Int', 'Float', 'Boolean']);

const schemaHashes = new WeakMap<GraphQLSchema, string>();

/**
 * `<schema>:<name>:<document>`, such as `kVnKxw3BZP0:FeaturePage:2cQ…`: two documents that print alike are one. Servers of
 * another schema never meet each other's answers.
 */
export function operationKeyOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): string {
  let schemaHash = schemaHashes.get(schema);
  if (schemaHash === undefined) {
    schemaHash = hash('sha256', printSchema(schema), 'base64url').slice(0, 11);
    schemaHashes.set(schema, schemaHash);
  }
  const name = operation.name?.value ?? '';
  const documentHash = createHash('sha256')
    .update(`${name}\n${print(document)}`)
    .digest('base64url')
    .slice(0, 22);
  return `${schemaHash}:${name.slice(0, maxNameLength)}:${documentHash}`;
}

/** The name of an answer, without the prefix. Variables come last, as nothing is escaped in them. */
export function answerKeyOf(operationKey: string, holder: string, variablesKey: string): string {
  return `${operationKey}:${holder}:${variablesKey}`;
}

/** A part between separators: whatever is no letter, digit, `_`, `-` or `.` is written as `%` and its code. */
export function keyPart(text: string): string {
  return text.replace(/[^\w.-]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Names the variables of an operation, whatever their order: JSON of those that hold no text, such as
 * `{"first":10,"id":"RmVhdHVyZTox"}`, and after a `~` the hash of the others. Variables that the operation does not know
 * change nothing, and make no other key.
 */
export function createVariablesKey(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
): (given: Readonly<Record<string, unknown>>) => string {
  const names = variableDefinitions.map(({ variable }) => variable.name.value).sort();
  const isReadable = new Map(
    variableDefinitions.map(({ variable, type: node }) => {
      const type = getNamedType(typeFromAST(schema, node));
      return [variable.name.value, type !== undefined && (readableTypes.has(type.name) || isEnumType(type))];
    }),
  );
  return (given) => {
    const present = names.filter((name) => Object.hasOwn(given, name));
    const pick = (wanted: boolean) => present.filter((name) => isReadable.get(name) === wanted);
    const readable = canonical(given, pick(true));
    const others = pick(false);
    if (readable.length > maxReadableLength) return `~${hash('sha256', canonical(given, present), 'base64url')}`;
    return others.length === 0 ? readable : `${readable}~${hash('sha256', canonical(given, others), 'base64url')}`;
  };
}

/** JSON of the variables that an operation knows, with the keys of objects in order. */
export function canonicalVariables(
  { variableDefinitions = [] }: OperationDefinitionNode,
  given: Readonly<Record<string, unknown>>,
): string {
  const names = variableDefinitions.map(({ variable }) => variable.name.value).sort();
  return canonical(
    given,
    names.filter((name) => Object.hasOwn(given, name)),
  );
}

function canonical(given: Readonly<Record<string, unknown>>, names: readonly string[]): string {
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, given[name]])), (_key, part: unknown) => {
    // Such as 1e400, which JSON would write as null.
    if (typeof part === 'number' && !Number.isFinite(part)) return { number: String(part) };
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
