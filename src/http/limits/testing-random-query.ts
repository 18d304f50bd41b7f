import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';
import { createRandom } from '../../seed/random.ts';

/** A query with the values of its variables. */
export interface RandomQuery {
  document: string;
  variables: Record<string, unknown>;
}

/** How numbers and conditions are written: in place, as variables, or as variables left to their default values. */
export type ValueForm = 'literal' | 'variable' | 'default';

const requiredValues: Record<string, string> = {
  siteId: '"x"',
  organizationId: '"x"',
  id: '"x"',
  ids: '["x", "y", "z"]',
  name: '"x"',
  query: '"x"',
  text: '"x"',
  model: '"x"',
  interval: 'DAY',
  inputs: '[{ name: "x", shape: [1, 1], values: [1] }, { name: "y", shape: [1, 1], values: [1] }]',
  range: '{ from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z" }',
};

/** A valid query out of a seed: the same fields, fragments, sizes and conditions for each form of values. */
export function randomQuery(schema: GraphQLSchema, seed: string, form: ValueForm): RandomQuery {
  const random = createRandom(seed);
  const variables: Record<string, unknown> = {};
  const definitions: string[] = [];
  const fragments: { name: string; type: string; text: string }[] = [];
  let names = 0;

  const value = (type: 'Int' | 'Boolean', given: number | boolean): string => {
    if (form === 'literal') return String(given);
    const name = `v${names++}`;
    if (form === 'variable') variables[name] = given;
    definitions.push(`$${name}: ${type}${form === 'variable' && type === 'Int' ? '' : ` = ${given}`}`);
    return `$${name}`;
  };

  const condition = () => {
    if (!random.chance(0.2)) return '';
    return ` @${random.pick(['skip', 'include'])}(if: ${value('Boolean', random.chance(0.5))})`;
  };

  const argumentsOf = (field: GraphQLField<unknown, unknown>) => {
    const given = field.args.flatMap((argument: GraphQLArgument) => {
      const isSize = ['first', 'last', 'horizon'].includes(argument.name);
      if (isSize && random.chance(0.6)) {
        return [`${argument.name}: ${value('Int', random.pick([-5, 0, 1, 3, 20, 100, 101, 2_147_483_647]))}`];
      }
      return isRequiredArgument(argument) ? [`${argument.name}: ${requiredValues[argument.name]}`] : [];
    });
    return given.length > 0 ? `(${given.join(', ')})` : '';
  };

  const part = (type: GraphQLObjectType, depth: number): string => {
    if (random.chance(0.1)) return `... on ${type.name}${condition()} { ${selections(type, depth)} }`;
    if (random.chance(0.15)) {
      const known = fragments.filter((fragment) => fragment.type === type.name);
      if (known.length > 0 && random.chance(0.7)) return `...${random.pick(known).name}${condition()}`;
      const text = selections(type, depth - 1);
      const name = `F${fragments.length}`;
      fragments.push({ name, type: type.name, text });
      return `...${name}${condition()}`;
    }
    const field = random.pick(Object.values(type.getFields()));
    const answer = getNamedType(field.type);
    if (isCompositeType(answer) && depth <= 0) return '__typename';
    const head = `a${names++}: ${field.name}${argumentsOf(field)}${condition()}`;
    if (isAbstractType(answer)) {
      const types = schema.getPossibleTypes(answer);
      const inner = [random.pick(types), random.pick(types)].map(
        (each) => `... on ${each.name} { ${selections(each, depth - 1)} }`,
      );
      return `${head} { id ${inner.join(' ')} }`;
    }
    return isObjectType(answer) ? `${head} { ${selections(answer, depth - 1)} }` : head;
  };

  const selections = (type: GraphQLObjectType, depth: number): string =>
    Array.from({ length: random.integer(1, 4) }, () => part(type, depth)).join(' ');

  const body = selections(schema.getQueryType()!, 6);
  const head = definitions.length > 0 ? `query(${definitions.join(', ')})` : 'query';
  const spread = fragments.map(({ name, type, text }) => `fragment ${name} on ${type} { ${text} }`);
  return { document: [`${head} { ${body} }`, ...spread].join('\n'), variables };
}
