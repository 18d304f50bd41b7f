import { sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { changesIn, inserts, rowsBy } from '../../db/footprint.ts';
import { keyPart } from '../../db/keyset.ts';
import { createList, createNestedList } from '../../db/list.ts';
import { createJoinedListByIds, createListByIds, inOrderOf } from '../../db/rows-by-id.ts';
import { arg, bare, columns, statement, unseenArg } from '../../db/statement.ts';
import { type User, users } from '../accounts/tables.ts';
import type { SentimentLabel } from '../predictions/sentiment.ts';
import { type Conversation, conversations, lastMessageOrder, type Message, messages } from './tables.ts';

export const conversationList = createList<Conversation>({
  name: 'conversations',
  table: conversations,
  filters: {
    userId: { condition: sql`${conversations.userId} = ${arg('userId')}` },
    createdAt: {
      condition: sql`${conversations.createdAt} >= ${arg('createdFrom')} and ${conversations.createdAt} < ${arg('createdTo')}`,
      range: 'createdAt',
    },
  },
  orders: {
    CREATED_AT: [keyPart(conversations, 'createdAt', 'timestamptz'), keyPart(conversations, 'id', 'uuid')],
    LAST_MESSAGE_AT: [
      { expression: lastMessageOrder, type: 'timestamptz', property: 'lastMessageAt', whenNull: '-infinity' },
      keyPart(conversations, 'id', 'uuid'),
    ],
  },
});

/** Messages lie after their conversation's start (first digits of the UUIDv7: its millisecond), so earlier months are not read. */
const sinceStart = sql`${messages.id} >= (left(parents.id::text, 13) || '-0000-0000-000000000000')::uuid`;

export const messageList = createNestedList<Message>({
  name: 'messages',
  table: messages,
  parent: messages.conversationId,
  nested: sinceStart,
  filters: {},
  orders: { CREATED_AT: [keyPart(messages, 'id', 'uuid')] },
});

export const listConversationsByIds = createListByIds<Conversation>('listConversationsByIds', conversations);
export const listConversationsWithUsersByIds = createJoinedListByIds<Conversation, User>(
  'listConversationsWithUsersByIds',
  conversations,
  { key: conversations.userId, to: users },
);
export const listMessagesByIds = createListByIds<Message>('listMessagesByIds', messages);

export interface SentimentSummary {
  /** null: nothing scored. */
  mean: number | null;
  negative: number;
  neutral: number;
  positive: number;
  total: number;
}

const summaries = statement<SentimentSummary & { conversationId: string }>(
  'listSentimentSummariesByConversationId',
  sql`select parents.id as "conversationId", summary.*
    from unnest(${unseenArg('conversationIds', 'uuid[]')}) as parents(id) cross join lateral (
      select avg(${messages.sentimentScore})::float8 as mean,
        count(*) filter (where ${messages.sentimentLabel} = 'NEGATIVE')::integer as negative,
        count(*) filter (where ${messages.sentimentLabel} = 'NEUTRAL')::integer as neutral,
        count(*) filter (where ${messages.sentimentLabel} = 'POSITIVE')::integer as positive,
        count(*)::integer as total
      from ${messages}
      where ${messages.organizationId} = ${arg('organizationId')} and ${messages.conversationId} = parents.id and ${sinceStart}
    ) as summary`,
  { readsBy: [rowsBy(messages.conversationId, 'conversationIds')] },
);

/** A summary for each conversation; all zero, without a mean, for one without messages. */
export function listSentimentSummaries(database: Database, organizationId: string, conversationIds: readonly string[]) {
  return summaries.run(database, { organizationId, conversationIds });
}

const insertOneConversation = statement<Conversation>(
  'insertConversation',
  sql`insert into ${conversations} (${bare(
    conversations.organizationId,
    conversations.id,
    conversations.title,
    conversations.userId,
    conversations.createdAt,
  )})
    select organization_id, ${arg('id')}, ${arg('title')}, id, ${arg('createdAt')}::timestamptz
    from users where organization_id = ${arg('organizationId')} and id = ${arg('userId')}
    returning ${columns(conversations)}`,
  { writes: [inserts(conversations)] },
);

/** null when the organization has no such user. */
export async function insertConversation(
  database: Database,
  organizationId: string,
  conversation: { id: string; title: string; userId: string; createdAt: string },
): Promise<Conversation | null> {
  const [row] = await insertOneConversation.run(database, { organizationId, ...conversation });
  return row ?? null;
}

export interface NewMessage {
  id: string;
  role: Message['role'];
  content: string;
  authorId: string | null;
  createdAt: string;
  sentimentLabel: SentimentLabel | null;
  sentimentScore: number | null;
}

const insertAllMessages = statement<Message>(
  'insertMessages',
  sql`with input as (
      select * from jsonb_to_recordset(${arg('rows')}::jsonb) as input(id uuid, role message_role, content text,
        "authorId" uuid, "createdAt" timestamptz, "sentimentLabel" sentiment_label, "sentimentScore" real)
    ), conversation as (
      update ${conversations}
      set last_message_at = greatest(last_message_at, (select max("createdAt") from input))
      where ${conversations.organizationId} = ${arg('organizationId')} and ${conversations.id} = ${arg('conversationId')}
        and not exists (
          select from input where "authorId" is not null and not exists (
            select from users where users.organization_id = ${arg('organizationId')} and users.id = input."authorId"))
      returning organization_id, id
    )
    insert into ${messages} (${bare(messages.organizationId, messages.id, messages.conversationId, messages.role)},
      ${bare(messages.content, messages.authorId, messages.createdAt, messages.sentimentLabel, messages.sentimentScore)})
    select conversation.organization_id, input.id, conversation.id, input.role, input.content, input."authorId",
      input."createdAt", input."sentimentLabel", input."sentimentScore"
    from conversation, input
    returning ${columns(messages)}`,
  {
    writes: [
      inserts(messages, rowsBy(messages.conversationId, 'conversationId')),
      changesIn(conversations, [conversations.lastMessageAt], rowsBy(conversations.id, 'conversationId')),
    ],
  },
);

/**
 * Adds messages to a conversation in one statement, which also moves its last message's time.
 * Answers them in the order given; empty, with nothing written, when the conversation or an author is not there.
 */
export async function insertMessages(
  database: Database,
  organizationId: string,
  conversationId: string,
  rows: readonly NewMessage[],
): Promise<Message[]> {
  const inserted = await insertAllMessages.run(database, {
    organizationId,
    conversationId,
    rows: JSON.stringify(rows),
  });
  return inOrderOf(
    rows.map((row) => row.id),
    inserted,
  );
}
