import { type GraphQLSchema, isEnumType } from 'graphql';
import type { Random } from '../../seed/random.ts';
import { fullRange } from '../full-organization.ts';
import { edgeTypeOf, type Harvest } from '../harvest.ts';
import type { Json, Slot } from '../schema-walk.ts';
import { isCursor, isFreeText, isShare, listNodeTypes, nodeTypeOf, plainValue } from '../slot-values.ts';
import { hostileJson, hostileNumbers, hostileText, hostileTimes, tampered } from './hostile-values.ts';

/** Whose values an operation may use. */
export interface FuzzData {
  /** What the organization that asks can reach. */
  own: Harvest;
  /** A word in the texts of the organization that asks. */
  ownWord: string;
  /** What belongs to another organization. */
  foreign: Harvest;
  /** A word in all texts of the other organization; only ever searched for, never written. */
  foreignWord: string;
}

export interface FuzzValue {
  value: Json;
  /** Whether the type system may refuse it: as a literal it makes the document invalid. */
  isHostile: boolean;
}

export interface ValueMaker {
  /** A value for one leaf; `hostility` is the chance that it is a bad one. */
  leaf(slot: Slot): FuzzValue;
  /** The two ends of a range of time. */
  range(): { from: FuzzValue; to: FuzzValue };
  /** A tensor of ids for the model that predict is asked of. */
  tensor(): { name: FuzzValue; shape: FuzzValue[]; values: FuzzValue[] };
}

/** Makes the values of one operation; all chances come from `random`, so the same one makes the same values. */
export function createValueMaker(
  schema: GraphQLSchema,
  random: Random,
  data: FuzzData,
  { hostility, isQuery }: { hostility: number; isQuery: boolean },
): ValueMaker {
  const leaf = (slot: Slot): FuzzValue => {
    if (!random.chance(hostility)) return sane(plausible(schema, random, data, slot));
    if (random.chance(0.15)) return { value: hostileJson(random), isHostile: true };
    return hostileOf(schema, random, data, slot, isQuery);
  };
  const tensor = () => makeTensor(random, hostility);
  return { leaf, tensor, range: () => (random.chance(hostility) ? hostileRange(random) : plausibleRange(random)) };
}

const sane = (value: Json): FuzzValue => ({ value, isHostile: false });

function plausible(schema: GraphQLSchema, random: Random, data: FuzzData, slot: Slot): Json {
  const type = schema.getType(slot.type);
  if (isEnumType(type)) return random.pick(type.getValues()).name;
  if (slot.type === 'ID') return anyOf(random, data.own.ids.get(nodeTypeOf(schema, slot)));
  if (isCursor(slot)) return anyOf(random, data.own.cursors.get(edgeTypeOf(slot)));
  if (slot.type === 'Int') return random.integer(slot.coordinate.endsWith('(first:)') ? 0 : 1, 4);
  // Nearly all other shares of a whole are refused, and few rollouts would ever succeed.
  if (slot.type === 'Float') return isShare(slot) ? plainValue(schema, slot, '') : random.integer(-5_000, 5_000) / 8;
  if (slot.type === 'Boolean') return random.chance(0.5);
  if (slot.type === 'DateTime') return random.chance(0.5) ? momentInRange(random) : plainValue(schema, slot, '');
  if (isFreeText(slot)) return `${data.ownWord} ${random.integer(0, 9)}`;
  return plainValue(schema, slot, data.ownWord);
}

function hostileOf(schema: GraphQLSchema, random: Random, data: FuzzData, slot: Slot, isQuery: boolean): FuzzValue {
  if (isEnumType(schema.getType(slot.type))) return { value: hostileText(random), isHostile: true };
  switch (slot.type) {
    case 'ID':
      return hostileId(schema, random, data, slot);
    case 'String':
      return hostileString(random, data, slot, isQuery);
    case 'Int':
    case 'Float':
      return { value: random.chance(0.85) ? random.pick(hostileNumbers) : hostileText(random), isHostile: true };
    case 'DateTime':
      return { value: random.chance(0.8) ? random.pick(hostileTimes) : hostileText(random), isHostile: true };
    default:
      return { value: hostileJson(random), isHostile: true };
  }
}

function hostileId(schema: GraphQLSchema, random: Random, data: FuzzData, slot: Slot): FuzzValue {
  const type = nodeTypeOf(schema, slot);
  const kind = random.weighted({ foreign: 35, otherType: 15, tampered: 30, text: 15, number: 5 });
  if (kind === 'foreign') return sane(anyOf(random, data.foreign.ids.get(type)));
  if (kind === 'otherType') return sane(anyOf(random, data.own.ids.get(random.pick(listNodeTypes(schema)))));
  const base = random.chance(0.7) ? data.own : data.foreign;
  if (kind === 'tampered') return sane(tampered(random, anyOf(random, base.ids.get(type))));
  if (kind === 'number') return { value: random.pick(hostileNumbers), isHostile: true };
  return textValue(hostileText(random));
}

function hostileString(random: Random, data: FuzzData, slot: Slot, isQuery: boolean): FuzzValue {
  if (isCursor(slot)) {
    const edge = edgeTypeOf(slot);
    const kind = random.weighted({ foreign: 25, otherList: 15, tampered: 40, text: 20 });
    if (kind === 'foreign') return sane(anyOf(random, data.foreign.cursors.get(edge)));
    if (kind === 'otherList') return sane(anyOf(random, random.pick([...data.own.cursors.values()])));
    if (kind === 'tampered') return sane(tampered(random, anyOf(random, data.own.cursors.get(edge))));
  }
  // Written, it would be the viewer's own to read.
  if (isQuery && random.chance(0.15)) return sane(data.foreignWord);
  return textValue(hostileText(random));
}

/** A lone surrogate cannot be written in a document. */
function textValue(value: string): FuzzValue {
  return { value, isHostile: !value.isWellFormed() };
}

const hourMs = 3_600_000;

function momentInRange(random: Random): string {
  const fromMs = Date.parse(fullRange.from);
  const hours = Math.floor((Date.parse(fullRange.to) - fromMs) / hourMs);
  return new Date(fromMs + random.integer(0, hours) * hourMs).toISOString();
}

function plausibleRange(random: Random) {
  const from = momentInRange(random);
  const to = new Date(Date.parse(from) + random.integer(1, 72) * hourMs).toISOString();
  return { from: sane(from), to: sane(to) };
}

function hostileRange(random: Random): { from: FuzzValue; to: FuzzValue } {
  const bad = (from: string, to: string) => ({
    from: { value: from, isHostile: true },
    to: { value: to, isHostile: true },
  });
  switch (random.integer(0, 4)) {
    case 0:
      return bad(fullRange.to, fullRange.from);
    case 1:
      return bad(fullRange.from, fullRange.from);
    case 2:
      return bad('0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z');
    case 3:
      return bad('2024-10-26T00:00:00+23:59', '2024-10-26T00:00:00.000001-23:59');
    default:
      return bad(random.pick(hostileTimes), random.pick(hostileTimes));
  }
}

/** Ids beyond the model's table are what it fails on while it runs. */
function makeTensor(random: Random, hostility: number) {
  const sizes = [random.integer(1, 3), random.integer(1, 4)];
  const maybe = (value: Json, hostile: () => Json): FuzzValue =>
    random.chance(hostility / 4) ? { value: hostile(), isHostile: true } : sane(value);
  return {
    name: maybe('input_ids', () => hostileText(random)),
    shape: sizes.map((size) => maybe(size, () => random.pick(hostileNumbers))),
    values: Array.from({ length: sizes[0]! * sizes[1]! }, () =>
      maybe(random.integer(1, 50_000), () => (random.chance(0.5) ? random.pick(hostileNumbers) : hostileJson(random))),
    ),
  };
}

/** One of a set, or a text that is none where the set is empty. */
function anyOf(random: Random, values: Set<string> | undefined): string {
  return values && values.size > 0 ? random.pick([...values]) : 'none';
}
