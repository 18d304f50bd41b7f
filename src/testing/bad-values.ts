import { type GraphQLSchema, isEnumType } from 'graphql';
import { newId } from '../db/id.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import type { Json, Slot } from './schema-walk.ts';
import { isCursor, isFreeText, nodeTypeOf } from './slot-values.ts';

/** A value that a client might send where it does not belong. */
export interface BadValue {
  label: string;
  value: Json;
  /** refused: it must be an error of this slot. handled: an error of any slot, or no error. */
  outcome: 'refused' | 'handled';
}

const refused = (label: string, value: Json): BadValue => ({ label, value, outcome: 'refused' });
const handled = (label: string, value: Json): BadValue => ({ label, value, outcome: 'handled' });

/** What must not get into a slot, and what must do no harm there. */
export function badValues(schema: GraphQLSchema, slot: Slot): BadValue[] {
  if (isEnumType(schema.getType(slot.type))) return badEnums;
  if (isCursor(slot)) return badCursors;
  if (isFreeText(slot)) return badTexts(slot);
  switch (slot.type) {
    case 'ID':
      return badIds(schema, slot);
    case 'String':
      return [...badTexts(slot), ...(badFormats[slot.name] ?? []).map((value) => refused(`not a ${slot.name}`, value))];
    case 'Int':
      return [...badIntegers(slot), '5', true].map((value) => refused(`number ${JSON.stringify(value)}`, value));
    case 'TensorValue':
      return [1.5, 'NaN', 'x', '5', true, null, {}, 2_147_483_648].map((value) =>
        refused(`value ${JSON.stringify(value)}`, value),
      );
    case 'Float':
      return [1e7, -1e7, 1e300, 'NaN', 'x', true].map((value) => refused(`number ${JSON.stringify(value)}`, value));
    case 'Boolean':
      return ['true', 'x', 0, 1, 1.5].map((value) => refused(`boolean ${JSON.stringify(value)}`, value));
    case 'DateTime':
      return [...badTimes.map((value) => refused(`time ${JSON.stringify(value)}`, value)), ...extremeTimes];
    default:
      throw new TypeError(
        `${slot.coordinate} is of type ${slot.type}: say in src/testing/bad-values.ts what it refuses`,
      );
  }
}

/** A tensor may have more rows than a page items. */
function badIntegers({ coordinate }: Slot): number[] {
  const common = [-1, 2_147_483_648, -2_147_483_649, 1.5];
  return coordinate === 'TensorInput.shape' ? common : [...common, 1001];
}

/** Names that are properties of every object. */
const objectNames = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
const injection = `'; drop table features cascade; --`;
const badEnums = ['NOPE', 'planned', '', '__proto__', 1, true].map((value) => refused(`enum ${value}`, value));

const forgedCursor = Buffer.from('00000000["2026-01-01 00:00:00+00"]').toString('base64url');
const badCursors = ['', 'x', 'a\u0000b', injection, 'x'.repeat(10_000), forgedCursor, 'é', ...objectNames].map(
  (value) => refused(`cursor ${JSON.stringify(value.slice(0, 40))}`, value),
);

function badTexts({ name }: Slot): BadValue[] {
  const empty = name === 'description' ? handled : refused;
  return [
    empty('empty text', ''),
    empty('blank text', ' \t\n '),
    refused('a NUL byte', 'text with \u0000 within'),
    refused('a NUL byte at the end', 'text\u0000'),
    refused('an escape', 'text with \u001b[31m within'),
    refused('a lone high surrogate', 'text with \ud83d within'),
    refused('a lone low surrogate', '\ude00 text'),
    refused('oversized text', 'word '.repeat(41_000)),
    handled('SQL', injection),
    handled('patterns', '%_\\%'),
    handled('quotes', `"'\\"`),
    ...objectNames.map((text) => handled(text, text)),
  ];
}

const badFormats: Readonly<Record<string, readonly string[]>> = {
  idempotencyKey: ['two words', 'key\n', 'ключ', 'k'.repeat(201)],
  timeZone: ['Mars/Phobos', '__proto__', 'constructor', injection],
  holidays: [
    '2026-02-30',
    '0000-01-01',
    '2026-1-1',
    'infinity',
    'today',
    '2026-01-01T00:00:00Z',
    '__proto__',
    injection,
  ],
};

function badIds(schema: GraphQLSchema, slot: Slot): BadValue[] {
  const type = nodeTypeOf(schema, slot);
  const isAnyNode = slot.coordinate === 'Query.node(id:)' || slot.coordinate === 'Query.nodes(ids:)';
  const other = type === 'User' ? 'Feature' : 'User';
  return [
    ...['', 'x', 'a\u0000b', injection, '=', 'x'.repeat(10_000), newId(), 5, ...objectNames].map((value) =>
      refused(`id ${JSON.stringify(value).slice(0, 40)}`, value),
    ),
    refused('id of no key', encodeGlobalId(type, '')),
    refused('id of a bad key', encodeGlobalId(type, `${newId()}'`)),
    refused('id of an unknown type', encodeGlobalId('Nothing', newId())),
    refused('id of __proto__', encodeGlobalId('__proto__', newId())),
    (isAnyNode ? handled : refused)('id of another type', encodeGlobalId(other, newId())),
    handled('an unknown id', encodeGlobalId(type, newId())),
  ];
}

const badTimes = [
  '2026-02-30T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '10000-01-01T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-06-30T23:59:60Z',
  '2026-01-01T00:00:00',
  '2026-01-01T00:00:00+25:00',
  '2026-01-01',
  'infinity',
  'now',
  '',
  '2026-01-01T00:00:00Z\u0000',
  injection,
  '__proto__',
  1_700_000_000,
];
const extremeTimes = ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', '2024-10-26T01:00:00+05:30'].map((time) =>
  handled(`time ${time}`, time),
);
