import { createLoader, createNestedLoader, createRowLoader } from '../../schema/loader.ts';
import {
  listConversationsByIds,
  listMessagesByIds,
  listSentimentSummaries,
  messageList,
  type SentimentSummary,
} from './queries.ts';

export const conversationById = createRowLoader(listConversationsByIds);
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
