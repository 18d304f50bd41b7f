/**
 * Conversations and their messages by the hundred thousand, made inside Postgres from a pool of scored dialogues. COPY from
 * this process took as long (400,000 messages in 3.3 s against 3.7 s), but kept two cores busy instead of one and would be bound by the network elsewhere.
 */
import { sql } from 'drizzle-orm';
import { arg, bare, statement, statementByShape } from '../../db/statement.ts';
import { conversations, messages } from '../../domains/conversations/tables.ts';
import { choice, countAt, idAtMs, share, timeAtMs } from './expressions.ts';
import { messageSurplus } from './scale.ts';

const i = sql.raw('i');
const nowMs = sql`${arg('nowMs')}::bigint`;

/**
 * The conversations numbered from..to (exclusive) of `total`: when each began, on which dialogue it is modelled, and how
 * many messages it has. On weekdays mostly, in the hours of listStarts in conversations.ts.
 */
const plans = (mean: number) => sql`born as materialized (
    select i::bigint as i, ((${nowMs} / 86400000) - 365 * power(1 - (i + 0.5::float8) / ${arg('total')}::bigint, 1.25))::integer as day
    from generate_series(${arg('from')}::bigint, ${arg('to')}::bigint - 1) as i
  ), days as materialized (
    select i, case when day % 7 in (2, 3) and ${share(i, 40)} < 0.7 then day - 2 else day end as day from born
  ), begun as materialized (
    select i, day, least((day * 86400000::bigint + (6 + 7 * (${share(i, 41)} + ${share(i, 42)})) * 3600000)::bigint,
      ${nowMs} - ${arg('longestMs')}::bigint) as ms
    from days
  ), plans as materialized (
    select i, ms, ${idAtMs(sql.raw('ms'), i, 43)} as id,
      case when luck < outage then 0 when luck < negative then 1 when luck < neutral then 2 else 3 end as pool,
      ${choice(i, 47, sql`${arg('dialogues')}::integer`)} as dialogue,
      ${choice(i, 48, sql`${arg('users')}::integer`)} as user_number,
      ${sql.raw(String(mean))} + ${countAt(i, messageSurplus(mean))} as count
    from begun join seed_days using (day), lateral (select ${share(i, 46)} as luck) as lucks
  )`;

/** Arguments: organizationId, from, to, total, nowMs, longestMs (of a dialogue), dialogues (of a pool), users. By mean length. */
export const insertBulkConversations = statementByShape<number, never>(
  'insertBulkConversations',
  (mean) => sql`with ${plans(mean)}
    insert into ${conversations} (${bare(conversations.organizationId, conversations.id, conversations.title)},
      ${bare(conversations.userId, conversations.createdAt, conversations.lastMessageAt)})
    select ${arg('organizationId')}::uuid, plans.id, lines.title, seed_users.id, ${timeAtMs(sql.raw('ms'))},
      ${timeAtMs(sql.raw('(ms + lines.at_ms)'))}
    from plans join seed_users on seed_users.n = user_number
      join seed_lines as lines on lines.pool = plans.pool and lines.dialogue = plans.dialogue and lines.position = plans.count`,
);

const k = sql.raw('(i * 512 + position)');

/** Arguments as above. */
export const insertBulkMessages = statementByShape<number, never>(
  'insertBulkMessages',
  (mean) => sql`with ${plans(mean)}
    insert into ${messages} (${bare(messages.organizationId, messages.id, messages.conversationId, messages.role)},
      ${bare(messages.content, messages.authorId, messages.createdAt, messages.sentimentLabel, messages.sentimentScore)})
    select ${arg('organizationId')}::uuid, ${idAtMs(sql.raw('(ms + at_ms)'), k, 50)}, plans.id, role, content,
      case when role = 'USER' then seed_users.id end, ${timeAtMs(sql.raw('(ms + at_ms)'))}, label, score
    from plans join seed_users on seed_users.n = user_number
      join seed_lines as lines on lines.pool = plans.pool and lines.dialogue = plans.dialogue and lines.position <= plans.count`,
);

/** The word tables of the bulk statements: gone with the transaction. */
export const createWordTables = [
  statement<never>('createSeedUsers', sql`create temporary table seed_users (n integer, id uuid) on commit drop`),
  statement<never>(
    'createSeedTexts',
    sql`create temporary table seed_texts (n integer, name text, description text, test_names text[]) on commit drop`,
  ),
  statement<never>(
    'createSeedDays',
    sql`create temporary table seed_days (day integer, outage float8, negative float8, neutral float8) on commit drop`,
  ),
  statement<never>(
    'createSeedLines',
    sql`create temporary table seed_lines (pool integer, dialogue integer, position integer, title text, role message_role,
      content text, at_ms bigint, label sentiment_label, score real) on commit drop`,
  ),
];

const jsonRows = sql`${arg('rows')}::text::json`;

/** Each takes `rows`, an array as JSON with the keys of the table. */
export const insertWords = {
  users: statement<never>(
    'insertSeedUsers',
    sql`insert into seed_users select * from json_to_recordset(${jsonRows}) as input(n integer, id uuid)`,
  ),
  texts: statement<never>(
    'insertSeedTexts',
    sql`insert into seed_texts select * from json_to_recordset(${jsonRows})
      as input(n integer, name text, description text, test_names text[])`,
  ),
  days: statement<never>(
    'insertSeedDays',
    sql`insert into seed_days select * from json_to_recordset(${jsonRows})
      as input(day integer, outage float8, negative float8, neutral float8)`,
  ),
  lines: statement<never>(
    'insertSeedLines',
    sql`insert into seed_lines select * from json_to_recordset(${jsonRows}) as input(pool integer, dialogue integer,
      position integer, title text, role message_role, content text, at_ms bigint, label sentiment_label, score real)`,
  ),
};

/** For right joins of the word tables. */
export const analyzeWordTables = statement<never>(
  'analyzeSeedWords',
  sql`analyze seed_users, seed_texts, seed_days, seed_lines`,
);
