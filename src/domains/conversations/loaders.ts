import { createJoinedRowLoader, createLoader, createNestedLoader, createRowLoader } from '../../schema/loader.ts';
import { userById } from '../accounts/loaders.ts';
import {
  listConversationsByIds,
  listConversationsWithUsersByIds,
  listMessagesByIds,
  listSentimentSummaries,
  messageList,
  type SentimentSummary,
} from './queries.ts';

export const conversationById = createRowLoader(listConversationsByIds);
/** conversationById for who asks for the user, too. */
export const conversationWithUserById = createJoinedRowLoader(listConversationsWithUsersByIds, {
  row: conversationById,
  referenced: userById,
});
export const messageById = createRowLoader(listMessagesByIds);
export const messagesByConversationId = createNestedLoader(messageList);

const noMessages: SentimentSummary = { mean: null, negative: 0, neutral: 0, positive: 0, total: 0 };

export const sentimentSummaryByConversationId = createLoader<SentimentSummary>(
  async (database, organizationId, conversationIds) => {
    const summaries = await listSentimentSummaries(database, organizationId, conversationIds);
    const byConversation = new Map(summaries.map((summary) => [summary.conversationId, summary]));
    return conversationIds.map((conversationId) => byConversation.get(conversationId) ?? noMessages);
  },
);
