import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';
import type { Random } from '../../seed/random.ts';
import type { Json, Slot } from '../schema-walk.ts';
import { type Draft, declareVariable } from './draft.ts';
import { hostileJson } from './hostile-values.ts';
import type { FuzzValue } from './slot-value.ts';

type Place = Omit<Slot, 'type' | 'declared'>;

/** The arguments of a field in parentheses, or nothing; what they hold is a literal or a variable at every level. */
export function writeArguments(draft: Draft, parent: string, field: GraphQLField<unknown, unknown>): string {
  const given = chooseArguments(draft, field);
  const written = given.map((argument) => {
    const coordinate = `${parent}.${field.name}(${argument.name}:)`;
    draft.covered.add(coordinate);
    const place = {
      coordinate,
      name: argument.name,
      path: argument.name,
      inputType: null,
      answers: answersOf(draft, field),
    };
    return `${argument.name}: ${writeInput(draft, argument.type, place)}`;
  });
  return written.length > 0 ? `(${written.join(', ')})` : '';
}

/** The optional ones by chance; of first and last only one, unless the operation is a hostile one. */
function chooseArguments(draft: Draft, field: GraphQLField<unknown, unknown>): GraphQLArgument[] {
  const { random, hostility } = draft;
  const isPaged = field.args.some(({ name }) => name === 'last');
  const size = random.weighted({ first: 8, last: 3, none: 1 });
  return field.args.filter((argument) => {
    if (isRequiredArgument(argument)) return true;
    if (isPaged && (argument.name === 'first' || argument.name === 'last')) {
      return argument.name === size || random.chance(hostility / 8);
    }
    if (argument.name === 'after' || argument.name === 'before') return random.chance(0.12);
    return random.chance(0.35);
  });
}

/** Where a field answers an interface, its ids may be of any type that has it. */
function answersOf({ schema, random }: Draft, field: GraphQLField<unknown, unknown>): string {
  const type = getNamedType(field.type);
  return isAbstractType(type) ? random.pick(schema.getPossibleTypes(type)).name : type.name;
}

function writeInput(draft: Draft, type: GraphQLInputType, place: Place): string {
  const { random } = draft;
  if (random.chance(0.35)) return writeVariable(draft, type, place);
  return printLiteral(draft, type, makeInput(draft, type, place), 'with variables');
}

function writeVariable(draft: Draft, type: GraphQLInputType, place: Place): string {
  const { random } = draft;
  const made = makeInput(draft, type, place);
  if (isNonNullType(type)) return declareVariable(draft, String(type), toJson(draft, made));
  const fallback = random.chance(0.2)
    ? printLiteral(draft, type, makeInput(draft, type, place), 'constant')
    : undefined;
  const isLeftOut = random.chance(0.1);
  return declareVariable(draft, String(type), isLeftOut ? undefined : toJson(draft, made), fallback);
}

/** What stands at a place: a leaf, a list, an object, or what stands in for one that does not belong there. */
type Made = { leaf: FuzzValue } | { list: Made[] } | { object: Record<string, Made> };

function makeInput(draft: Draft, type: GraphQLInputType, place: Place): Made {
  const { random, hostility } = draft;
  const inner = getNullableType(type);
  if (random.chance(hostility / 20)) return { leaf: { value: hostileJson(random), isHostile: true } };
  if (!isNonNullType(type) && random.chance(0.04)) return { leaf: { value: null, isHostile: false } };
  if (isListType(inner)) {
    const make = () => makeInput(draft, inner.ofType, { ...place, path: `${place.path}.0` });
    const items = Array.from({ length: random.integer(1, 3) }, make);
    if (random.chance(hostility / 10)) return { list: ofAnotherLength(random, items) };
    return { list: items };
  }
  if (isInputObjectType(inner)) return { object: makeObject(draft, inner, place) };
  return { leaf: draft.values.leaf({ ...place, type: getNamedType(type).name, declared: type }) };
}

/** None or too many of them; one item many times, as what counts is the length, but not of what is large already. */
function ofAnotherLength(random: Random, items: Made[]): Made[] {
  const length = random.pick([0, 101, 1_001]);
  return JSON.stringify(items[0]).length > 1_000 ? items : Array<Made>(length).fill(items[0]!);
}

function makeObject(draft: Draft, type: GraphQLInputObjectType, place: Place): Record<string, Made> {
  const fields = Object.values(type.getFields());
  const given = fields.filter((field) => isRequiredInputField(field) || draft.random.chance(0.45));
  for (const field of given) draft.covered.add(`${type.name}.${field.name}`);
  if (fields.length === 2 && fields.every(({ name }) => name === 'from' || name === 'to')) {
    const { from, to } = draft.values.range();
    return { from: { leaf: from }, to: { leaf: to } };
  }
  if (type.name === 'TensorInput') return makeTensor(draft);
  const entries = given.map((field): [string, Made] => {
    const coordinate = `${type.name}.${field.name}`;
    const path = `${place.path}.${field.name}`;
    return [
      field.name,
      makeInput(draft, field.type, { ...place, coordinate, name: field.name, path, inputType: type.name }),
    ];
  });
  return Object.fromEntries(entries);
}

/** What must fit together: the values fill the shape. Hostile ones are of another shape or value. */
function makeTensor({ values }: Draft): Record<string, Made> {
  const { name, shape, values: elements } = values.tensor();
  return {
    name: { leaf: name },
    shape: { list: shape.map((leaf) => ({ leaf })) },
    values: { list: elements.map((leaf) => ({ leaf })) },
  };
}

/** As JSON; a hostile object may get a field that its type does not have. */
function toJson(draft: Draft, made: Made): Json {
  if ('leaf' in made) return made.leaf.value;
  if ('list' in made) return made.list.map((item) => toJson(draft, item));
  const entries = Object.entries(made.object).map(([name, entry]) => [name, toJson(draft, entry)]);
  if (draft.random.chance(draft.hostility / 20))
    entries.push([draft.random.pick(['__proto__', 'constructor', 'extra']), 1]);
  return Object.fromEntries(entries) as Json;
}

type Form = 'constant' | 'with variables';

/** As a literal; what lies inside a list or an object may be a variable of its own. */
function printLiteral(draft: Draft, type: GraphQLInputType, made: Made, form: Form): string {
  const inner = getNullableType(type);
  if ('list' in made) {
    const item = isListType(inner) ? inner.ofType : inner;
    const itemForm = made.list.length > 3 ? 'constant' : form;
    return `[${made.list.map((entry) => printInner(draft, item, entry, itemForm)).join(', ')}]`;
  }
  if ('object' in made) {
    const fields = isInputObjectType(inner) ? inner.getFields() : {};
    const entries = Object.entries(made.object).map(
      ([name, entry]) => `${name}: ${printInner(draft, fields[name]!.type, entry, form)}`,
    );
    return `{ ${entries.join(', ')} }`;
  }
  if (made.leaf.isHostile) draft.hasHostileLiteral = true;
  return printValue(made.leaf.value, isEnumType(getNamedType(type)));
}

function printInner(draft: Draft, type: GraphQLInputType, made: Made, form: Form): string {
  if (form === 'constant' || !draft.random.chance(0.2)) return printLiteral(draft, type, made, form);
  return declareVariable(draft, String(type), toJson(draft, made));
}

function printValue(value: Json, isEnum: boolean): string {
  if (Array.isArray(value)) return `[${value.map((item) => printValue(item, isEnum)).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).map(([name, entry]) => `${name}: ${printValue(entry, isEnum)}`);
    return `{ ${entries.join(', ')} }`;
  }
  if (isEnum && typeof value === 'string' && /^[A-Za-z_]\w*$/.test(value)) return value;
  return JSON.stringify(value);
}
