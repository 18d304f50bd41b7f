import {
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isLeafType,
  isObjectType,
} from 'graphql';
import { createRandom } from '../../seed/random.ts';
import type { Json } from '../schema-walk.ts';
import { type Draft, declareVariable } from './draft.ts';
import { objectNames } from './hostile-values.ts';
import { createValueMaker, type FuzzData } from './slot-value.ts';
import { writeArguments } from './write-arguments.ts';

/** A request's operation, and what it is about. */
export interface FuzzOperation {
  query: string;
  variables: Record<string, Json>;
  operationName: string | undefined;
  isMutation: boolean;
  /** Whether a literal may make the document invalid; without one it must pass parsing and validation. */
  hasHostileLiteral: boolean;
  /** Coordinates of the fields selected and the arguments and input fields given. */
  covered: ReadonlySet<string>;
}

/**
 * Operation number `index` of a seed: the same one each time for the same schema and the same shape of data. It is
 * valid unless hasHostileLiteral says otherwise.
 */
export function writeOperation(schema: GraphQLSchema, data: FuzzData, seed: number, index: number): FuzzOperation {
  const random = createRandom(`${seed}/${index}`);
  const hostility = Number(random.weighted({ '0': 35, '0.1': 25, '0.4': 25, '1': 15 }));
  const isMutation = random.chance(0.2);
  const draft: Draft = {
    schema,
    random,
    values: createValueMaker(schema, random, data, { hostility, isQuery: !isMutation }),
    hostility,
    declarations: [],
    variables: {},
    fragments: [],
    covered: new Set(),
    hasHostileLiteral: false,
    fieldsLeft: random.pick([8, 20, 40, 80]),
    aliasesLeft: 20,
    directivesLeft: 10,
    nextNumber: 0,
  };
  const root = isMutation ? schema.getMutationType()! : schema.getQueryType()!;
  const selection = writeRoot(draft, root);
  const names = random.chance(0.1) ? objectNames : (['Fuzz', 'A', 'query', 'mutation', 'on'] as const);
  const isShort = !isMutation && draft.declarations.length === 0 && random.chance(0.3);
  const name = isShort || random.chance(0.3) ? undefined : random.pick(names);
  const header = draft.declarations.length > 0 ? `(${draft.declarations.join(', ')})` : '';
  const start = isShort ? '' : `${isMutation ? 'mutation' : 'query'} ${name ?? ''}${header} `;
  const hasOther = name !== undefined && random.chance(0.1);
  const parts = draft.fragments.map((fragment) => `fragment ${fragment.name} on ${fragment.on} ${fragment.text}`);
  if (hasOther) parts.push('query Other { __typename }');
  return {
    query: random.shuffled([`${start}${selection}`, ...parts]).join('\n'),
    variables: draft.variables,
    operationName: hasOther || random.chance(0.2) ? name : undefined,
    isMutation,
    hasHostileLiteral: draft.hasHostileLiteral,
    covered: draft.covered,
  };
}

/** One to three root fields. */
function writeRoot(draft: Draft, root: GraphQLObjectType): string {
  const { random } = draft;
  const levels = random.weighted({ '1': 2, '2': 4, '3': 3, '4': 2, '5': 1 });
  const names = new Set<string>();
  const count = Number(random.weighted({ '1': 8, '2': 2, '3': 1 }));
  const fields = Array.from({ length: count }, () => {
    // Little would be left to change if they came as often as others.
    const choices = Object.values(root.getFields()).filter(({ name }) => !/^delete/.test(name) || random.chance(0.5));
    return writeField(draft, root, random.pick(choices), Number(levels), names);
  });
  if (random.chance(0.05)) fields.push('__typename');
  return `{ ${fields.join(' ')} }`;
}

/** A selection of any fields; `names` are the response names taken where it is merged into. */
function writeSelection(draft: Draft, type: GraphQLCompositeType, levels: number, names = new Set<string>()): string {
  const known = draft.fragments.filter(({ on }) => on === type.name);
  if (known.length > 0 && names.size === 0 && draft.random.chance(0.1))
    return `{ ...${draft.random.pick(known).name} }`;
  const parts = isObjectType(type) ? writeFields(draft, type, levels, names) : writeTypes(draft, type, levels, names);
  if (parts.length === 0 || draft.random.chance(0.15)) parts.push('__typename');
  return `{ ${parts.join(' ')} }`;
}

function writeFields(draft: Draft, type: GraphQLObjectType, levels: number, names: Set<string>): string[] {
  const { random } = draft;
  const next = /(Connection|Edge|PageInfo|Payload)$/.test(type.name) ? levels : levels - 1;
  const parts: string[] = [];
  for (const field of random.shuffled(Object.values(type.getFields()))) {
    if (draft.fieldsLeft <= 0) break;
    const isLeaf = isLeafType(getNamedType(field.type));
    if (!isLeaf && next <= 0) continue;
    if (!random.chance(isLeaf ? 0.45 : 0.4)) continue;
    const written = writeField(draft, type, field, next, names);
    // The same field again is merged with the first; its arguments and selection are the same.
    parts.push(written, ...(random.chance(0.03) && draft.aliasesLeft > 0 ? [written] : []));
  }
  return wrap(draft, type, parts);
}

/** Puts the last parts of a selection into a fragment, inline or named. */
function wrap(draft: Draft, type: GraphQLCompositeType, parts: string[]): string[] {
  const { random } = draft;
  if (parts.length === 0 || !random.chance(0.2)) return parts;
  const cut = random.integer(0, parts.length - 1);
  const text = `{ ${parts.slice(cut).join(' ')} }`;
  if (random.chance(0.5)) {
    const on = random.pick(['', `on ${type.name}`]);
    return [...parts.slice(0, cut), `... ${on}${writeDirectives(draft)} ${text}`];
  }
  const name = `F${draft.nextNumber++}`;
  draft.fragments.push({ name, on: type.name, text });
  return [...parts.slice(0, cut), `...${name}${writeDirectives(draft)}`];
}

/** Of an interface: its own fields, and those of some of its types. */
function writeTypes(draft: Draft, type: GraphQLCompositeType, levels: number, names: Set<string>): string[] {
  if (!isAbstractType(type)) return [];
  const types = draft.random.shuffled([...draft.schema.getPossibleTypes(type)]).slice(0, draft.random.integer(1, 3));
  const inner = types.map((possible) => {
    const parts = writeFields(draft, possible, levels, names);
    return parts.length > 0 ? `... on ${possible.name}${writeDirectives(draft)} { ${parts.join(' ')} }` : '';
  });
  const isIdSelected = draft.random.chance(0.5) && !names.has('id');
  if (isIdSelected) {
    draft.covered.add(`${type.name}.id`);
    names.add('id');
  }
  return [...(isIdSelected ? ['id'] : []), ...inner.filter((text) => text !== '')];
}

function writeField(
  draft: Draft,
  parent: GraphQLObjectType,
  field: GraphQLField<unknown, unknown>,
  levels: number,
  names: Set<string>,
): string {
  draft.fieldsLeft--;
  draft.covered.add(`${parent.name}.${field.name}`);
  const alias = chooseAlias(draft, field.name, names);
  const args = writeArguments(draft, parent.name, field);
  const directives = writeDirectives(draft);
  const type = getNamedType(field.type);
  const selection = isCompositeType(type) ? ` ${writeSelection(draft, type, levels)}` : '';
  return `${alias}${field.name}${args}${directives}${selection}`;
}

/** Two fields of the same response name would have to be the same: the second one gets a name of its own. */
function chooseAlias(draft: Draft, name: string, names: Set<string>): string {
  const { random } = draft;
  if (!names.has(name) && (draft.aliasesLeft <= 0 || !random.chance(0.06))) {
    names.add(name);
    return '';
  }
  draft.aliasesLeft--;
  const odd = random.pick(objectNames);
  const alias = random.chance(0.1) && !names.has(odd) ? odd : `x${draft.nextNumber++}`;
  names.add(alias);
  return `${alias}: `;
}

function writeDirectives(draft: Draft): string {
  const { random } = draft;
  if (draft.directivesLeft <= 0 || !random.chance(0.06)) return '';
  draft.directivesLeft--;
  const isSkip = random.chance(0.5);
  // Mostly what is there stays in the answer.
  const isTrue = random.chance(0.2) === isSkip;
  const condition = random.chance(0.5) ? declareVariable(draft, 'Boolean!', isTrue) : String(isTrue);
  return ` @${isSkip ? 'skip' : 'include'}(if: ${condition})`;
}
