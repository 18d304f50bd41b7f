import type { GraphQLSchema } from 'graphql';
import type { Random } from '../../seed/random.ts';
import type { Json } from '../schema-walk.ts';
import type { ValueMaker } from './slot-value.ts';

/** An operation while it is being written. */
export interface Draft {
  readonly schema: GraphQLSchema;
  readonly random: Random;
  readonly values: ValueMaker;
  /** The chance that something is not as it should be, 0 to 1. */
  readonly hostility: number;
  /** Declarations such as `$v1: Int = 3`. */
  readonly declarations: string[];
  /** What the request sends; a variable may be left out. */
  readonly variables: Record<string, Json>;
  readonly fragments: { name: string; on: string; text: string }[];
  /** Coordinates of the fields selected and the arguments and input fields given. */
  readonly covered: Set<string>;
  /** Whether a literal may make the document invalid. */
  hasHostileLiteral: boolean;
  /** How many more of each it may have. */
  fieldsLeft: number;
  aliasesLeft: number;
  directivesLeft: number;
  /** Names of aliases and fragments are numbered through. */
  nextNumber: number;
}

/** Declares a variable and answers its name; `value` undefined: the request leaves it out. */
export function declareVariable(draft: Draft, type: string, value: Json | undefined, defaultLiteral?: string): string {
  const name = `v${draft.declarations.length}`;
  draft.declarations.push(`$${name}: ${type}${defaultLiteral === undefined ? '' : ` = ${defaultLiteral}`}`);
  if (value !== undefined) draft.variables[name] = value;
  return `$${name}`;
}
