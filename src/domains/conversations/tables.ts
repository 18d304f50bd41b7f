import { sql } from 'drizzle-orm';
import { foreignKey, index, pgEnum, pgTable, primaryKey, real, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { users } from '../accounts/tables.ts';

export const messageRole = pgEnum('message_role', ['USER', 'ASSISTANT', 'SYSTEM']);
export const sentimentLabel = pgEnum('sentiment_label', ['NEGATIVE', 'NEUTRAL', 'POSITIVE']);

/** A conversation without messages sorts before all others by its last message. */
export const lastMessageOrder = sql`coalesce("conversations"."last_message_at", '-infinity'::timestamptz)`;

export const conversations = pgTable(
  'conversations',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid('id').notNull(),
    title: text('title').notNull(),
    userId: uuid('user_id').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull().defaultNow(),
    lastMessageAt: timestamp('last_message_at', { withTimezone: true, mode: 'string' }),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    foreignKey({
      name: 'conversations_user',
      columns: [table.organizationId, table.userId],
      foreignColumns: [users.organizationId, users.id],
    }),
    index('conversations_created').on(table.organizationId, table.createdAt, table.id),
    index('conversations_last_message').on(
      table.organizationId,
      sql`coalesce("last_message_at", '-infinity'::timestamptz)`,
      table.id,
    ),
    index('conversations_user_created').on(table.organizationId, table.userId, table.createdAt, table.id),
    index('conversations_user_last_message').on(
      table.organizationId,
      table.userId,
      sql`coalesce("last_message_at", '-infinity'::timestamptz)`,
      table.id,
    ),
  ],
);

/**
 * Range-partitioned by month on the id: a UUIDv7 starts with its time, so the id is the time order, the partition key
 * and the lookup key at once. created_at is the time in the id.
 */
export const messages = pgTable(
  'messages',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid('id').notNull(),
    conversationId: uuid('conversation_id').notNull(),
    role: messageRole('role').notNull(),
    content: text('content').notNull(),
    /** null: the assistant or the system spoke. */
    authorId: uuid('author_id'),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull(),
    /** What the model said when the message was written, for aggregates; null: not scored yet. */
    sentimentLabel: sentimentLabel('sentiment_label'),
    sentimentScore: real('sentiment_score'),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    foreignKey({
      name: 'messages_conversation',
      columns: [table.organizationId, table.conversationId],
      foreignColumns: [conversations.organizationId, conversations.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'messages_author',
      columns: [table.organizationId, table.authorId],
      foreignColumns: [users.organizationId, users.id],
    }),
    index('messages_by_conversation').on(table.organizationId, table.conversationId, table.id),
  ],
);

export type Conversation = typeof conversations.$inferSelect;
export type Message = typeof messages.$inferSelect;
