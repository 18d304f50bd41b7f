import { type GraphQLSchema, isEnumType, isObjectType } from 'graphql';
import { newId } from '../db/id.ts';
import { fullRange, fullUpdatedAt } from './full-organization.ts';
import type { Json, Slot } from './schema-walk.ts';

/** Texts that must have a form of their own, by the name of the argument or input field, or by its coordinate. */
const formattedTexts: Readonly<Record<string, string>> = {
  model: 'energy-forecast',
  version: '1',
  // One that answers no viewer itself: tests that want this to succeed bring a version 2.
  'ShadowInput.version': '2',
  timeZone: 'Europe/Berlin',
  holidays: '2024-12-25',
};

/** What must fit together, by coordinate: a row of one id for the model that any id will do for. */
const fixedValues: Readonly<Record<string, Json>> = {
  'Query.predict(model:)': 'sentiment',
  'Query.predict(version:)': '1',
  'TensorInput.name': 'input_ids',
  'TensorInput.shape': [1, 1],
  'TensorInput.values': [1],
};

const times: Readonly<Record<string, string>> = {
  from: fullRange.from,
  to: fullRange.to,
  expectedUpdatedAt: fullUpdatedAt,
};
/** Shares of a whole; any other number may be larger. */
const shares: Readonly<Record<string, number>> = { weight: 1, share: 0.5, maxErrorRate: 0.5 };
const pastTime = '2024-11-01T12:00:00Z';

/** Whether any text will do: it is neither a cursor nor of a form of its own. */
export function isFreeText(slot: Slot): boolean {
  const hasOwnForm = isKey(slot) || slot.name in formattedTexts || slot.coordinate in fixedValues;
  return slot.type === 'String' && !isCursor(slot) && !hasOwnForm;
}

function isKey({ name }: Slot): boolean {
  return name === 'idempotencyKey';
}

/** A key of its own each time; none for an item of a list, whose key stands beside the list. */
function plainKey({ path }: Slot): Json {
  return /\.\d+\.\w+$/.test(path) ? null : newId();
}

export function isCursor({ type, name }: Slot): boolean {
  return type === 'String' && (name === 'after' || name === 'before');
}

/**
 * A value that a slot accepts; ids and cursors are not here, they depend on whose they are.
 * @throws when the type of an argument is new: it needs a value here
 */
export function plainValue(schema: GraphQLSchema, slot: Slot, text: string): Json {
  const fixed = fixedValues[slot.coordinate];
  if (fixed !== undefined) return fixed;
  const type = schema.getType(slot.type);
  if (isEnumType(type)) return type.getValues()[0]!.name;
  switch (slot.type) {
    case 'String':
      return isKey(slot) ? plainKey(slot) : (formattedTexts[slot.coordinate] ?? formattedTexts[slot.name] ?? text);
    case 'Int':
      return 5;
    case 'Float':
      return shares[slot.name] ?? 1.5;
    case 'Boolean':
      return true;
    case 'DateTime':
      return times[slot.name] ?? pastTime;
    default:
      throw new TypeError(`${slot.coordinate} is of type ${slot.type}: give it a value in src/testing/slot-values.ts`);
  }
}

const people = ['owner', 'user', 'author', 'uploader'];

/**
 * The type whose ids a slot takes: by its own name (`featureId`), by its input's (`UpdateFeatureInput.id`), or by what
 * its field answers (`feature(id:)`).
 * @throws when none of these names one
 */
export function nodeTypeOf(schema: GraphQLSchema, slot: Slot): string {
  const nodeTypes = [...listNodeTypes(schema), 'PublicFeature'];
  const stem = slot.name.replace(/Ids?$/, '');
  const byName = people.includes(stem) ? 'User' : stem[0]!.toUpperCase() + stem.slice(1);
  if (nodeTypes.includes(byName)) return byName;
  const within = slot.inputType
    ? nodeTypes.filter((name) => slot.inputType!.includes(name)).sort((a, b) => b.length - a.length)[0]
    : slot.answers;
  if (within !== undefined && nodeTypes.includes(within)) return within;
  throw new TypeError(`${slot.coordinate} takes ids of no known node type: name it in src/testing/slot-values.ts`);
}

/** The types that `node` can answer. */
export function listNodeTypes(schema: GraphQLSchema): string[] {
  const node = schema.getType('Node');
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && type.getInterfaces().some((implemented) => implemented === node))
    .map((type) => type.name);
}
