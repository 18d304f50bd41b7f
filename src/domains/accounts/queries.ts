import { sql } from 'drizzle-orm';
import type { Database } from '../../db/client.ts';
import { arg, columns, statement } from '../../db/statement.ts';
import { type User, users } from './tables.ts';

const findUsersById = statement<User>(
  'listUsersByIds',
  sql`select ${columns(users)} from ${users}
    where ${users.organizationId} = ${arg('organizationId')} and ${users.id} = any(${arg('ids')}::uuid[])`,
);

/** Users of the organization with these ids, in no order; ids of others are left out. */
export function listUsersByIds(database: Database, organizationId: string, ids: readonly string[]): Promise<User[]> {
  return findUsersById.run(database, { organizationId, ids });
}

const findDemoUser = statement<User>(
  'findFirstUser',
  sql`select ${columns(users)} from ${users} where ${users.email} = ${arg('email')} order by ${users.createdAt} limit 1`,
);

/** The user of this email in whichever organization has it first; null when there is none. For the demo user only. */
export async function findUserByEmail(database: Database, email: string): Promise<User | null> {
  const [user] = await findDemoUser.run(database, { email });
  return user ?? null;
}
