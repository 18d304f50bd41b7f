import SchemaBuilder, {
  BasePlugin,
  type FieldNullability,
  type InputFieldMap,
  type PothosOutputFieldConfig,
  type PothosTypeConfig,
  type SchemaTypes,
  type TypeParam,
} from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import { type Context, requireScope } from '../context.ts';
import { type CacheHint, directivesOf, type FieldPolicy, type ListSize } from './policy.ts';

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      policy: PolicyPlugin<Types>;
    }

    export interface SchemaBuilderOptions<Types extends SchemaTypes> {
      policy?: {
        /** The list size of a field that states none, by the names of its arguments. */
        listSizeByArguments?: (argumentNames: readonly string[]) => ListSize | undefined;
      };
    }

    export interface ObjectTypeOptions<Types extends SchemaTypes = SchemaTypes, Shape = unknown> {
      cache?: CacheHint;
    }

    export interface FieldOptions<
      Types extends SchemaTypes = SchemaTypes,
      ParentShape = unknown,
      Type extends TypeParam<Types> = TypeParam<Types>,
      Nullable extends FieldNullability<Type> = FieldNullability<Type>,
      Args extends InputFieldMap = InputFieldMap,
      ResolveShape = unknown,
      ResolveReturnShape = unknown,
    > extends FieldPolicy {}
  }
}

const rootKinds = new Set(['Query', 'Mutation', 'Subscription']);

type Resolve<Types extends SchemaTypes> = GraphQLFieldResolver<unknown, Types['Context'], object>;

/**
 * Field options `scope`, `cost`, `listSize` and `cache`: the scope is enforced here, the others are for who counts the cost
 * and for who keeps answers. Object types have `cache`, too.
 */
class PolicyPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  /** @throws Error naming a root field without a scope, or a field of an interface with a cost */
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { scope, cost, listSize: stated, cache } = field.pothosOptions as FieldPolicy;
    const coordinate = `${field.parentType}.${field.name}`;
    if (rootKinds.has(field.kind) && scope === undefined) {
      throw new Error(`${coordinate} states no scope: expected 'read', 'write', 'admin' or 'none'`);
    }
    if (field.kind === 'Interface' && cost !== undefined) {
      throw new Error(`${coordinate} has a cost: expected it on the fields of the object types instead`);
    }
    if (field.kind === 'Mutation' && cache !== undefined) {
      throw new Error(`${coordinate} has a cache hint: expected it on fields of queries only`);
    }
    const byArguments = this.builder.options.policy?.listSizeByArguments;
    const listSize = stated ?? byArguments?.(Object.keys(field.args));
    const policy: FieldPolicy = {
      ...(scope !== undefined && { scope }),
      ...(cost !== undefined && { cost }),
      ...(listSize && { listSize }),
      ...(cache && { cache }),
    };
    const directives = { ...(field.extensions?.directives as object), ...directivesOf(policy) };
    return { ...field, extensions: { ...field.extensions, policy, directives } };
  }

  override onTypeConfig(type: PothosTypeConfig): PothosTypeConfig {
    const { cache } = type.pothosOptions as { cache?: CacheHint };
    return cache ? { ...type, extensions: { ...type.extensions, policy: { cache } } } : type;
  }

  override wrapResolve(resolve: Resolve<Types>, field: PothosOutputFieldConfig<Types>): Resolve<Types> {
    return guarded(resolve, field);
  }

  override wrapSubscribe(
    subscribe: Resolve<Types> | undefined,
    field: PothosOutputFieldConfig<Types>,
  ): Resolve<Types> | undefined {
    return subscribe && guarded(subscribe, field);
  }
}

/** A field without a scope keeps its own function: most fields, and every one below the root. */
function guarded<Types extends SchemaTypes>(
  resolve: Resolve<Types>,
  field: PothosOutputFieldConfig<Types>,
): Resolve<Types> {
  const { scope } = field.pothosOptions as FieldPolicy;
  if (scope === undefined || scope === 'none') return resolve;
  return (parent, args, context, info) => {
    requireScope(context as Context, scope);
    return resolve(parent, args, context, info);
  };
}

SchemaBuilder.registerPlugin('policy', PolicyPlugin);
