import { pgTable, timestamp, uuid } from 'drizzle-orm/pg-core';

/** Processes that changed something which they could not tell the others: of the server itself, so of no organization. */
export const answerPauses = pgTable('answer_pauses', {
  processId: uuid('process_id').primaryKey(),
  endsAt: timestamp('ends_at', { withTimezone: true, mode: 'string' }).notNull(),
});
