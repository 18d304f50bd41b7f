import { sql } from 'drizzle-orm';
import type { Database } from '../../db/client.ts';
import { createListByIds } from '../../db/rows-by-id.ts';
import { arg, columns, statement } from '../../db/statement.ts';
import { type User, users } from './tables.ts';

export const listUsersByIds = createListByIds<User>('listUsersByIds', users);

const findDemoUser = statement<User>(
  'findFirstUser',
  sql`select ${columns(users)} from ${users} where ${users.email} = ${arg('email')} order by ${users.createdAt} limit 1`,
);

/** The user of this email in whichever organization has it first; null when there is none. For the demo user only. */
export async function findUserByEmail(database: Database, email: string): Promise<User | null> {
  const [user] = await findDemoUser.run(database, { email });
  return user ?? null;
}
