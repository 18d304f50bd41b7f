import type postgres from 'postgres';
import { idAt, newId } from '../db/id.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import type { ListCase, Question, World } from './list-cases.ts';
import { quote } from './list-conditions.ts';
import { earliestTime, type RandomRow } from './random-rows.ts';

/** A row in the order of the plain statement. */
export interface OracleRow {
  identity: string;
  /** null at the root. */
  parent: string | null;
  /** Its values of the order, as one text. */
  place: string;
}

const parentColumns: Record<string, string> = {
  features: `name, description, status, complexity_points, owner_id) select $1, id, 'Parent', '', 'PLANNED', 1, $2`,
  conversations: `title, user_id) select $1, id, 'Parent', $2`,
  sites: `name, time_zone) select $1, id, 'Parent ' || $2::uuid, 'UTC'`,
};

/** An organization of a run's own, with three users and, for a nested list, four parents of which one stays empty. */
export async function createWorld(client: postgres.Sql, { parent }: ListCase): Promise<World> {
  const organizationId = newId();
  const users = [newId(), newId(), newId()];
  await client.unsafe(`insert into organizations (id, name) values ('${organizationId}', 'Test')`);
  await client.unsafe(`insert into users (organization_id, id, name, email)
    select '${organizationId}', id, 'Ada', id::text from unnest('{${users.join()}}'::uuid[]) as id`);
  const startMs = Date.parse(earliestTime);
  const parents = parent ? [0, 1, 2, 3].map((sequence) => idAt(startMs, sequence)) : [];
  if (parent) {
    const insert = `insert into ${parent.table} (organization_id, id, ${parentColumns[parent.table]}
      from unnest('{${parents.join()}}'::uuid[]) as id`;
    await client.unsafe(insert.replaceAll('$1', quote(organizationId)).replaceAll('$2', quote(users[0]!)));
  }
  return { organizationId, users, parents };
}

/** The parents that rows are given to: the last one stays empty. */
export function withRows(world: World): World {
  return { ...world, parents: world.parents.slice(0, 3) };
}

/** Adds rows; one whose key is taken is left out. */
export async function insertRows(client: postgres.Sql, list: ListCase, world: World, rows: readonly RandomRow[]) {
  if (rows.length === 0) return;
  const input = rows.map((row) => ({
    organization_id: world.organizationId,
    ...list.toRow(row, withRows(world)),
  }));
  const columns = Object.keys(input[0]!).join(', ');
  await client.unsafe(`insert into ${list.table} (${columns}) select ${columns}
    from jsonb_populate_recordset(null::${list.table}, ${quote(JSON.stringify(input))}) on conflict do nothing`);
}

export async function deleteRow(client: postgres.Sql, list: ListCase, world: World, identity: string) {
  await client.unsafe(`delete from ${list.table}
    where organization_id = ${quote(world.organizationId)} and ${list.identity.sql} = ${quote(identity)}`);
}

/** All rows of a question in its order, those of all parents together. */
export function listRows(client: postgres.Sql, list: ListCase, world: World, question: Question) {
  const direction = question.isDescending ? 'desc' : 'asc';
  const order = question.orderColumns.map((column) => `${column} ${direction}`).join(', ');
  const where = [`organization_id = ${quote(world.organizationId)}`, ...question.where].join(' and ');
  return client.unsafe<
    OracleRow[]
  >(`select ${list.identity.sql} as identity, ${list.parent?.column ?? 'null'} as parent,
      row(${question.orderColumns.join(', ')})::text as place
    from ${list.table} where ${where} order by ${order}`);
}

/** The identity of a node of an answer, as listRows has it. */
export function identityOf(list: ListCase, node: Record<string, unknown>): string {
  const value = String(node[list.identity.field]);
  return list.identity.field === 'id' ? Buffer.from(value, 'base64url').toString() : value;
}

export function parentId({ parent }: ListCase, id: string): string {
  return encodeGlobalId(parent!.type, id);
}
