import type { GraphQLSchema } from 'graphql';
import type { Viewer } from '../context.ts';
import { type Json, listOperations, listSlots, type Operation, printOperation, type Slot } from './schema-walk.ts';
import { isCursor, nodeTypeOf, plainValue } from './slot-values.ts';
import type { TestApp } from './test-app.ts';

/** Ids by node type and cursors by edge type, as answers showed them. */
export interface Harvest {
  ids: Map<string, Set<string>>;
  cursors: Map<string, Set<string>>;
}

/**
 * What a viewer can reach from the root of the schema: every query is run as soon as the answers before it hold the ids
 * it needs.
 * @throws when one of them is never reached, or fails
 */
export async function harvest(app: TestApp, schema: GraphQLSchema, viewer: Viewer, text: string): Promise<Harvest> {
  const found: Harvest = { ids: new Map(), cursors: new Map() };
  let waiting = listOperations(schema).filter(({ kind }) => kind === 'query');
  while (waiting.length > 0) {
    const ready = waiting.filter((operation) => isReady(schema, operation, found));
    if (ready.length === 0)
      throw new Error(`no ids in the data to run ${waiting.map(({ label }) => label).join(', ')}`);
    for (const operation of ready) {
      const document = printOperation(schema, operation, {
        includes: () => false,
        value: valuesOf(schema, found, text),
      });
      const answer = await app.query(document, {}, viewer);
      if (answer.errors) throw new Error(`${operation.label}: ${JSON.stringify(answer.errors)}`);
      collect(answer.data, found);
    }
    waiting = waiting.filter((operation) => !ready.includes(operation));
  }
  return found;
}

/** Values out of what was harvested: an id of the slot's node type, a cursor of its connection, or a plain one. */
export function valuesOf(schema: GraphQLSchema, found: Harvest, text: string): (slot: Slot) => Json {
  return (slot) => {
    if (slot.type === 'ID') return first(found.ids.get(nodeTypeOf(schema, slot))) ?? 'none';
    if (isCursor(slot)) return first(found.cursors.get(edgeTypeOf(slot))) ?? 'none';
    return plainValue(schema, slot, text);
  };
}

export function edgeTypeOf(slot: Slot): string {
  return slot.answers.replace(/Connection$/, 'Edge');
}

function isReady(schema: GraphQLSchema, operation: Operation, found: Harvest): boolean {
  const slots = [...listSlots(schema, operation, 'required').values()];
  return slots.every((slot) => slot.type !== 'ID' || found.ids.has(nodeTypeOf(schema, slot)));
}

function first(values: Set<string> | undefined): string | undefined {
  return values?.values().next().value;
}

function collect(value: unknown, found: Harvest): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, found);
    return;
  }
  if (value === null || typeof value !== 'object') return;
  const { __typename: typename, id, cursor } = value as Record<string, unknown>;
  if (typeof typename === 'string' && typeof id === 'string') add(found.ids, typename, id);
  if (typeof typename === 'string' && typeof cursor === 'string') add(found.cursors, typename, cursor);
  for (const entry of Object.values(value)) collect(entry, found);
}

function add(sets: Map<string, Set<string>>, name: string, value: string): void {
  sets.set(name, (sets.get(name) ?? new Set()).add(value));
}
