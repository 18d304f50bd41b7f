import { GraphQLError, type GraphQLSchema, Kind, parse, validate } from 'graphql';
import { parseManifest, type TrustedDocument } from '../http/trusted-documents/manifest.ts';

/** What the schema has against the documents of a manifest, one line each: the id, the line of the document, the message. */
export function findManifestProblems(schema: GraphQLSchema, manifest: string): string[] {
  try {
    return parseManifest(manifest).flatMap((document) => findDocumentProblems(schema, document));
  } catch (error) {
    return [(error as Error).message];
  }
}

function findDocumentProblems(schema: GraphQLSchema, { id, body }: TrustedDocument): string[] {
  try {
    const document = parse(body);
    const names = document.definitions.flatMap((definition) =>
      definition.kind === Kind.OPERATION_DEFINITION ? [definition.name?.value ?? 'without a name'] : [],
    );
    if (names.length === 0) return [`${id}: expected an operation, got none`];
    return validate(schema, document).map((error) => `${id} (${names.join(', ')}): ${describe(error)}`);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return [`${id}: ${describe(error)}`];
  }
}

function describe({ message, locations }: GraphQLError): string {
  return `line ${locations?.[0]?.line ?? 1}: ${message}`;
}
