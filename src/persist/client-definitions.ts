import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import {
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type Location,
  type OperationDefinitionNode,
  parse,
  print,
  Source,
} from 'graphql';
import { readTaggedTemplates } from './tagged-templates.ts';

/** What the files of a client define, in the order of the files. */
export interface ClientDefinitions {
  operations: OperationDefinitionNode[];
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  problems: Problem[];
}

export interface Problem {
  file: string;
  /** From 1. */
  line: number;
  message: string;
}

const documentExtensions: ReadonlySet<string> = new Set(['.graphql', '.gql']);
const codeExtensions: ReadonlySet<string> = new Set(['.ts', '.tsx', '.mts', '.js', '.jsx', '.mjs']);

/** Whether a file of this name can hold documents. */
export function isClientFile(file: string): boolean {
  return documentExtensions.has(extname(file)) || codeExtensions.has(extname(file));
}

/**
 * Reads operations and fragments; definitions of types are passed over. Each name stands for one definition: the same
 * text again is the same definition, another text is a problem, and so is an operation without a name.
 */
export async function readClientDefinitions(files: readonly string[]): Promise<ClientDefinitions> {
  const collector = new Collector();
  for (const file of files) collector.read(file, await readFile(file, 'utf8'));
  const { operations, fragments, problems } = collector;
  return { operations: [...operations.values()], fragments, problems };
}

class Collector {
  readonly operations = new Map<string, OperationDefinitionNode>();
  readonly fragments = new Map<string, FragmentDefinitionNode>();
  readonly problems: Problem[] = [];

  read(file: string, text: string): void {
    if (documentExtensions.has(extname(file))) {
      if (text.trim() !== '') this.#document(file, text, 1);
      return;
    }
    const { templates, unreadable } = readTaggedTemplates(text);
    this.problems.push(...unreadable.map((problem) => ({ file, ...problem })));
    for (const template of templates) this.#document(file, template.text, template.line);
  }

  #document(file: string, text: string, line: number): void {
    try {
      for (const definition of parse(new Source(text, file, { line, column: 1 })).definitions) {
        if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#add(this.fragments, 'fragment', definition);
        if (definition.kind === Kind.OPERATION_DEFINITION) this.#add(this.operations, 'operation', definition);
      }
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      this.problems.push(...problemsOf(error));
    }
  }

  #add<T extends OperationDefinitionNode | FragmentDefinitionNode>(known: Map<string, T>, kind: string, node: T): void {
    const name = node.name?.value;
    if (name === undefined) {
      this.problems.push({ ...placeOf(node.loc!), message: 'an operation needs a name' });
      return;
    }
    const other = known.get(name);
    if (!other) known.set(name, node);
    else if (print(other) !== print(node)) {
      const { file, line } = placeOf(other.loc!);
      this.problems.push({ ...placeOf(node.loc!), message: `the ${kind} ${name} is another one in ${file}:${line}` });
    }
  }
}

/** An error of graphql at each place that it speaks of; the first has the message. */
export function problemsOf({ message, nodes, source, locations }: GraphQLError): Problem[] {
  const location = nodes?.[0]?.loc;
  if (location) return [{ ...placeOf(location), message }];
  if (!source) return [];
  const line = (locations?.[0]?.line ?? 1) + source.locationOffset.line - 1;
  return [{ file: source.name, line, message }];
}

function placeOf({ source, startToken }: Location): { file: string; line: number } {
  return { file: source.name, line: startToken.line + source.locationOffset.line - 1 };
}
