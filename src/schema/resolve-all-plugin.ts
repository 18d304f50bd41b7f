import SchemaBuilder, {
  BasePlugin,
  type FieldNullability,
  type InputFieldMap,
  type InputShapeFromFields,
  type MaybePromise,
  type PothosOutputFieldConfig,
  type SchemaTypes,
  type ShapeFromTypeParam,
  type TypeParam,
} from '@pothos/core';
import type { GraphQLField } from 'graphql';
import type { Context } from '../context.ts';
import { encodeGlobalId } from './global-id.ts';

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      resolveAll: ResolveAllPlugin<Types>;
    }

    export interface FieldOptions<
      Types extends SchemaTypes = SchemaTypes,
      ParentShape = unknown,
      Type extends TypeParam<Types> = TypeParam<Types>,
      Nullable extends FieldNullability<Type> = FieldNullability<Type>,
      Args extends InputFieldMap = InputFieldMap,
      ResolveShape = unknown,
      ResolveReturnShape = unknown,
    > {
      /** What `resolve` answers for each of these parents, in their order, made by one call. */
      resolveAll?: (
        parents: readonly ParentShape[],
        args: InputShapeFromFields<Args>,
        context: Types['Context'],
      ) => MaybePromise<readonly ShapeFromTypeParam<Types, Type, Nullable>[]>;
    }
  }
}

/** As the field option: null stands for a field that answers parent by parent. */
export type ResolveAll = (
  parents: readonly unknown[],
  args: object,
  context: Context,
) => Promise<readonly unknown[]> | readonly unknown[];

/** How a field answers many parents by one call; null: it does not. */
export function resolveAllOf(field: GraphQLField<unknown, unknown>): ResolveAll | null {
  return (field.extensions.resolveAll as ResolveAll | undefined) ?? null;
}

/**
 * The field option `resolveAll`, for who executes a whole list at a time (execution/). The ids of nodes have it by
 * themselves: graphql's way makes two promises for each.
 */
class ResolveAllPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  /** @throws Error naming a field with a scope: only `resolve` is guarded */
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { resolveAll: stated, scope } = field.pothosOptions as { resolveAll?: ResolveAll; scope?: unknown };
    if (stated && scope !== undefined) {
      throw new Error(`${field.parentType}.${field.name} has a scope: expected no resolveAll beside it`);
    }
    const resolveAll = stated ?? this.#idsOf(field);
    return resolveAll ? { ...field, extensions: { ...field.extensions, resolveAll } } : field;
  }

  /** null: the field is not the global id of a node. */
  #idsOf({ kind, name, parentType }: PothosOutputFieldConfig<Types>): ResolveAll | null {
    if (kind !== 'Object' || name !== 'id') return null;
    const { pothosOptions } = this.builder.configStore.getTypeConfig(parentType as never);
    const keyOf = (pothosOptions as { id?: { resolve?: (parent: unknown) => string } }).id?.resolve;
    return keyOf ? (parents) => parents.map((parent) => encodeGlobalId(parentType, keyOf(parent))) : null;
  }
}

SchemaBuilder.registerPlugin('resolveAll', ResolveAllPlugin);
