import {
  DirectiveLocation,
  GraphQLBoolean,
  GraphQLDirective,
  GraphQLEnumType,
  type GraphQLField,
  GraphQLInt,
  GraphQLList,
  type GraphQLNamedType,
  GraphQLNonNull,
  GraphQLString,
} from 'graphql';
import type { Scope } from '../context.ts';

/** How long the list is that a field answers, or that a field of its answer holds. */
export interface ListSize {
  /** Arguments that say so, dotted into input objects: a number, or a list that counts by its items. The largest counts. */
  slicingArguments?: readonly string[];
  /** When no slicing argument is given. */
  assumedSize?: number;
  /** Fields of the answer that hold the list; without it, the field's own answer is the list. */
  sizedFields?: readonly string[];
  /** The field refuses a larger number, so no more is counted. */
  maxSize?: number;
}

/** Who may be given the same answer, from most to fewest. */
export const cacheScopes = ['public', 'organization', 'viewer'] as const;
export type CacheScope = (typeof cacheScopes)[number];

/**
 * How long an answer with this in it may be kept, and for whom. Nothing is kept unless every root field of an operation
 * states a time; below them the least of all times and the narrowest of all scopes hold.
 */
export interface CacheHint {
  /** 0: never. Default: as long as what is around it. */
  maxAgeSeconds?: number;
  /** Default: that of what is around it; of a root field, its viewer. */
  scope?: CacheScope;
}

/** What a field states of itself beside its type. */
export interface FieldPolicy {
  /** What the viewer's token must be good for; `none` also lets those in who are not signed in. */
  scope?: Scope | 'none';
  /** The weight of one call of the field; by default 1 for an object, 0 for a scalar, and 0 for a list beside its items. */
  cost?: number;
  listSize?: ListSize;
  /** Also of an object type: it then holds wherever the type is answered. */
  cache?: CacheHint;
}

/** The policy of a field; an empty one when it states nothing. */
export function policyOf(field: GraphQLField<unknown, unknown>): FieldPolicy {
  return (field.extensions.policy as FieldPolicy | undefined) ?? {};
}

/** The policy of a type: a cache hint, or nothing. */
export function typePolicyOf(type: GraphQLNamedType): Pick<FieldPolicy, 'cache'> {
  return (type.extensions.policy as Pick<FieldPolicy, 'cache'> | undefined) ?? {};
}

const scopeType = new GraphQLEnumType({
  name: 'Scope',
  description: 'What a token may be good for; none implies another.',
  values: {
    READ: { description: 'Queries.' },
    WRITE: { description: 'Mutations.' },
    ADMIN: { description: 'What concerns the organization itself.' },
  },
});

const cacheScopeType = new GraphQLEnumType({
  name: 'CacheControlScope',
  description: 'Who may be given the same answer.',
  values: {
    PUBLIC: { description: 'Everybody.' },
    ORGANIZATION: { description: 'The users of one organization.' },
    PRIVATE: { description: 'One user.' },
  },
});

const names = new GraphQLList(new GraphQLNonNull(GraphQLString));

/** @cost and @listSize are those of the IBM GraphQL cost specification, https://ibm.github.io/graphql-specs/cost-spec.html. */
export const policyDirectives: readonly GraphQLDirective[] = [
  new GraphQLDirective({
    name: 'requiresScope',
    description: 'The field needs a token with this scope.',
    locations: [DirectiveLocation.FIELD_DEFINITION],
    args: { scope: { type: new GraphQLNonNull(scopeType), description: 'The scope.' } },
  }),
  new GraphQLDirective({
    name: 'cacheControl',
    description: 'How long answers with this in them may be kept, and for whom; the least of all parts holds.',
    locations: [DirectiveLocation.FIELD_DEFINITION, DirectiveLocation.OBJECT],
    args: {
      maxAge: { type: GraphQLInt, description: 'Seconds; 0: not at all.' },
      scope: { type: cacheScopeType, description: 'Who may be given the same answer.' },
    },
  }),
  new GraphQLDirective({
    name: 'cost',
    description:
      'What one call of the field adds to the cost of an operation; by default 1 for an object, also for each in a list, and 0 for a scalar.',
    locations: [
      DirectiveLocation.ARGUMENT_DEFINITION,
      DirectiveLocation.ENUM,
      DirectiveLocation.FIELD_DEFINITION,
      DirectiveLocation.INPUT_FIELD_DEFINITION,
      DirectiveLocation.OBJECT,
      DirectiveLocation.SCALAR,
    ],
    args: { weight: { type: new GraphQLNonNull(GraphQLString), description: 'A number.' } },
  }),
  new GraphQLDirective({
    name: 'listSize',
    description: 'How long a list is.',
    locations: [DirectiveLocation.FIELD_DEFINITION],
    args: {
      assumedSize: { type: GraphQLInt, description: 'Its length when no slicing argument is given.' },
      slicingArguments: {
        type: names,
        description: 'Arguments that say its length: a number, or a list that counts by its items; the largest counts.',
      },
      sizedFields: { type: names, description: 'Fields of the answer that hold the list.' },
      requireOneSlicingArgument: {
        type: GraphQLBoolean,
        default: { value: true },
        description: 'Whether exactly one slicing argument must be given.',
      },
    },
  }),
];

/** The directives a policy is printed as. */
export function directivesOf({ scope, cost, listSize, cache }: FieldPolicy): Record<string, object> {
  return {
    ...(scope !== undefined && scope !== 'none' && { requiresScope: { scope: scope.toUpperCase() } }),
    ...(cost !== undefined && { cost: { weight: String(cost) } }),
    ...(listSize && { listSize: toDirective(listSize) }),
    ...(cache && { cacheControl: toCacheControl(cache) }),
  };
}

const scopeNames = { public: 'PUBLIC', organization: 'ORGANIZATION', viewer: 'PRIVATE' } as const;

/** The arguments of @cacheControl. */
function toCacheControl({ maxAgeSeconds, scope }: CacheHint): object {
  return {
    ...(maxAgeSeconds !== undefined && { maxAge: maxAgeSeconds }),
    ...(scope !== undefined && { scope: scopeNames[scope] }),
  };
}

function toDirective({ assumedSize, slicingArguments, sizedFields }: ListSize): object {
  return {
    ...(assumedSize !== undefined && { assumedSize }),
    ...(slicingArguments && { slicingArguments }),
    ...(sizedFields && { sizedFields }),
    // Without slicing arguments the specification ignores it.
    ...(slicingArguments && { requireOneSlicingArgument: false }),
  };
}
