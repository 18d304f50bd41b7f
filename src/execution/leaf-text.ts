import {
  GraphQLBoolean,
  type GraphQLEnumType,
  GraphQLFloat,
  GraphQLID,
  GraphQLInt,
  type GraphQLLeafType,
  GraphQLString,
  isEnumType,
} from 'graphql';

/**
 * The JSON text of a value that is not null, as JSON.stringify writes what the type makes of it.
 * @throws when the type refuses the value
 */
export type LeafText = (value: unknown) => string;

/** How values of a type become text: the common values at once, all others by the type itself. */
export function leafTextOf(type: GraphQLLeafType): LeafText {
  const byType: LeafText = (value) => {
    const text = JSON.stringify(type.coerceOutputValue(value));
    if (text === undefined) throw new TypeError(`${type.name}: no JSON for this value`);
    return text;
  };
  if (isEnumType(type)) return enumText(type, byType);
  switch (type) {
    case GraphQLString:
    case GraphQLID:
      return (value) => (typeof value === 'string' ? JSON.stringify(value) : byType(value));
    case GraphQLInt:
      return (value) => (typeof value === 'number' && (value | 0) === value ? String(value) : byType(value));
    case GraphQLFloat:
      return (value) => (typeof value === 'number' && Number.isFinite(value) ? String(value) : byType(value));
    case GraphQLBoolean:
      return (value) => (value === true ? 'true' : value === false ? 'false' : byType(value));
    default:
      return byType;
  }
}

function enumText(type: GraphQLEnumType, byType: LeafText): LeafText {
  const texts = new Map(type.getValues().map(({ name, value }) => [value, JSON.stringify(name)]));
  return (value) => texts.get(value) ?? byType(value);
}
