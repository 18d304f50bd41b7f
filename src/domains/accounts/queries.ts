import { sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { rowsBy } from '../../db/footprint.ts';
import { createListByIds, type ListByIds } from '../../db/rows-by-id.ts';
import { arg, bare, columns, statement, unseenArg } from '../../db/statement.ts';
import { type IdempotencyKey, idempotencyKeys, type Organization, organizations, type User, users } from './tables.ts';

export const listUsersByIds = createListByIds<User>('listUsersByIds', users);

const organizationsByIds = statement<Organization>(
  'listOrganizationsByIds',
  sql`select ${columns(organizations)} from ${organizations}
    where ${organizations.id} = ${arg('organizationId')} and ${organizations.id} = any(${unseenArg('ids', 'uuid[]')}::uuid[])`,
  { readsBy: [rowsBy(organizations.id, 'ids')] },
);

/** The organization itself when its id is among these; no other. */
export const listOrganizationsByIds: ListByIds<Organization> = (database, organizationId, ids) =>
  organizationsByIds.run(database, { organizationId, ids });

const findDemoUser = statement<User>(
  'findFirstUser',
  sql`select ${columns(users)} from ${users} where ${users.email} = ${arg('email')} order by ${users.createdAt} limit 1`,
);

/** The user of this email in whichever organization has it first; null when there is none. For the demo user only. */
export async function findUserByEmail(database: Database, email: string): Promise<User | null> {
  const [user] = await findDemoUser.run(database, { email });
  return user ?? null;
}

/** Whose key it is: the same text of another user is another key. */
export interface KeyOwner {
  organizationId: string;
  userId: string;
  key: string;
}

const lifetime = sql`interval '7 days'`;
const ofOwner = sql`${idempotencyKeys.organizationId} = ${arg('organizationId')}
  and ${idempotencyKeys.userId} = ${arg('userId')} and ${idempotencyKeys.key} = ${arg('key')}`;

const findKey = statement<KeptResult>(
  'findIdempotencyKey',
  sql`select ${columns(idempotencyKeys, ['mutation', 'fingerprint', 'result'])} from ${idempotencyKeys}
    where ${ofOwner} and ${idempotencyKeys.createdAt} > now() - ${lifetime}`,
);

export type KeptResult = Pick<IdempotencyKey, 'mutation' | 'fingerprint' | 'result'>;

/** What was done with this key in the last 7 days; null: nothing. */
export async function findIdempotencyKey(database: Database, owner: KeyOwner): Promise<KeptResult | null> {
  const [row] = await findKey.run(database, { ...owner });
  return row ?? null;
}

// A key that is not free is locked, so that it is still there for the look-up that follows.
const claimKey = statement<{ key: string }>(
  'claimIdempotencyKey',
  sql`insert into ${idempotencyKeys} (${bare(
    idempotencyKeys.organizationId,
    idempotencyKeys.userId,
    idempotencyKeys.key,
    idempotencyKeys.mutation,
    idempotencyKeys.fingerprint,
  )})
    values (${arg('organizationId')}, ${arg('userId')}, ${arg('key')}, ${arg('mutation')}, ${arg('fingerprint')})
    on conflict (${bare(idempotencyKeys.organizationId, idempotencyKeys.userId, idempotencyKeys.key)})
    do update set mutation = excluded.mutation, fingerprint = excluded.fingerprint, created_at = now(), result = null
      where ${idempotencyKeys.createdAt} <= now() - ${lifetime}
    returning ${bare(idempotencyKeys.key)}`,
);

/**
 * Claims a key for the transaction, as its first statement: one that is claimed by another transaction is waited for.
 * false: it is used already.
 */
export async function claimIdempotencyKey(
  transaction: Database,
  claim: KeyOwner & { mutation: string; fingerprint: string },
): Promise<boolean> {
  const claimed = await claimKey.run(transaction, { ...claim });
  return claimed.length > 0;
}

const purgedAtOnce = 10;

const keepResult = statement<never>(
  'keepIdempotentResult',
  sql`with expired as (
      select organization_id, user_id, key from ${idempotencyKeys}
      where ${idempotencyKeys.organizationId} = ${arg('organizationId')}
        and ${idempotencyKeys.createdAt} <= now() - ${lifetime}
      order by ${idempotencyKeys.createdAt} limit ${sql.raw(String(purgedAtOnce))} for update skip locked
    ), purged as (
      delete from ${idempotencyKeys} using expired
      where ${idempotencyKeys.organizationId} = expired.organization_id
        and ${idempotencyKeys.userId} = expired.user_id and ${idempotencyKeys.key} = expired.key
    )
    update ${idempotencyKeys} set result = ${arg('result')}::jsonb where ${ofOwner}`,
);

/** Keeps what finds the first result of a claimed key again, and deletes some expired keys of the organization. */
export async function keepIdempotentResult(transaction: Database, owner: KeyOwner, result: unknown): Promise<void> {
  await keepResult.run(transaction, { ...owner, result: JSON.stringify(result) });
}

const findActive = statement<Pick<User, 'id'>>(
  'findActiveUser',
  sql`select ${users.id} from ${users} where ${users.organizationId} = ${arg('organizationId')}
    and ${users.id} = ${arg('userId')} and ${users.isActive}`,
);

/** The user of a token; null: unknown in this organization, or not active. */
export async function findActiveUser(
  database: Database,
  organizationId: string,
  userId: string,
): Promise<Pick<User, 'id'> | null> {
  const [user] = await findActive.run(database, { organizationId, userId });
  return user ?? null;
}

/** A user with the name of the organization. */
export interface Membership extends Pick<User, 'id' | 'organizationId' | 'isActive'> {
  organizationName: string;
}

const listMemberships = statement<Membership>(
  'listMembershipsByEmail',
  sql`select ${columns(users, ['id', 'organizationId', 'isActive'])}, ${organizations.name} as "organizationName"
    from ${users} join ${organizations} on ${organizations.id} = ${users.organizationId}
    where ${users.email} = ${arg('email')} order by ${organizations.name}, ${organizations.id}`,
);

/** The users of this email in all organizations, by the name of the organization. For the command line only. */
export function listMembershipsByEmail(database: Database, email: string): Promise<Membership[]> {
  return listMemberships.run(database, { email });
}
