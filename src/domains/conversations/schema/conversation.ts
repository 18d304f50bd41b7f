import { z } from 'zod';
import { builder } from '../../../schema/builder.ts';
import { connectionType, nestedList, type PageArguments, resolveList } from '../../../schema/connection.ts';
import { decodeId, parseUuid } from '../../../schema/global-id.ts';
import { idOf, parseInput, timeRange } from '../../../schema/input.ts';
import { loaded, reference } from '../../../schema/loaded-field.ts';
import { selects } from '../../../schema/selects.ts';
import { OrderDirection, TimeRange } from '../../../schema/shared-types.ts';
import { userById } from '../../accounts/loaders.ts';
import { UserRef } from '../../accounts/schema.ts';
import {
  conversationById,
  conversationWithUserById,
  messagesByConversationId,
  sentimentSummaryByConversationId,
} from '../loaders.ts';
import { conversationList, type SentimentSummary } from '../queries.ts';
import type { Conversation } from '../tables.ts';
import { ConversationRef, MessageConnection } from './types.ts';

const ConversationConnection = connectionType('Conversation', ConversationRef, 'conversations');

const SentimentSummaryRef = builder.objectRef<SentimentSummary>('SentimentSummary').implement({
  description: 'How the messages of a conversation sound, as scored when they were written.',
  fields: (t) => ({
    mean: t.exposeFloat('mean', { nullable: true, description: 'The mean score, 0 to 1; null when none is scored.' }),
    negative: t.exposeInt('negative', { description: 'Messages that sound unhappy.' }),
    neutral: t.exposeInt('neutral', { description: 'Messages that sound neither way.' }),
    positive: t.exposeInt('positive', { description: 'Messages that sound happy.' }),
    total: t.exposeInt('total', { description: 'All messages, those without a score included.' }),
  }),
});

builder.node(ConversationRef, {
  description: 'A talk of a user with the assistant.',
  id: { resolve: (conversation) => conversation.id, parse: parseUuid },
  loadWithoutCache: (id, context) => conversationById(context).load(id),
  fields: (t) => ({
    title: t.exposeString('title', { description: 'What it is about.' }),
    user: t.field({
      type: UserRef,
      description: 'Whose conversation it is.',
      ...reference(userById, (conversation: Conversation) => conversation.userId),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it began.' }),
    lastMessageAt: t.expose('lastMessageAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its last message was written; null before the first.',
    }),
    messages: t.field({
      type: MessageConnection,
      description: 'Its messages, first said first.',
      args: t.arg.connectionArgs(),
      ...nestedList(
        messagesByConversationId,
        (conversation: Conversation) => conversation.id,
        (paging: PageArguments) => ({ paging, order: { order: 'CREATED_AT', direction: 'ASC' } }),
      ),
    }),
    sentiment: t.field({
      type: SentimentSummaryRef,
      cost: 2,
      description: 'How its messages sound.',
      ...loaded(sentimentSummaryByConversationId, (conversation: Conversation) => conversation.id),
    }),
  }),
});

builder.queryField('conversation', (t) =>
  t.field({
    type: ConversationRef,
    nullable: true,
    scope: 'read',
    cache: { maxAgeSeconds: 300, scope: 'organization' },
    description: 'A conversation by its id; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'The id of a conversation.' }) },
    resolve: (_root, { id }, context, info) => {
      const byId = selects(info, 'user') ? conversationWithUserById : conversationById;
      return byId(context).load(decodeId('Conversation', id, 'id'));
    },
  }),
);

const ConversationFilter = builder.inputType('ConversationFilter', {
  description: 'Which conversations a list holds; what is set must all hold.',
  fields: (t) => ({
    userId: t.id({ description: 'Of this user.' }),
    createdAt: t.field({ type: TimeRange, description: 'Begun in this range.' }),
  }),
});

const ConversationOrderField = builder.enumType('ConversationOrderField', {
  description: 'What conversations can be ordered by; ties go by id.',
  values: {
    CREATED_AT: { description: 'When it began.' },
    LAST_MESSAGE_AT: { description: 'When its last message was written; those without one count as earliest.' },
  },
});

const ConversationOrder = builder.inputType('ConversationOrder', {
  description: 'The order of a list of conversations.',
  fields: (t) => ({
    field: t.field({ type: ConversationOrderField, required: true, description: 'What to order by.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'Which way.' }),
  }),
});

const filterInput = z.object({ userId: idOf('User').optional(), createdAt: timeRange.optional() });

builder.queryField('conversations', (t) =>
  t.field({
    type: ConversationConnection,
    scope: 'read',
    cache: { maxAgeSeconds: 300, scope: 'organization' },
    description: 'The conversations of the organization, latest first unless ordered otherwise.',
    args: {
      filter: t.arg({ type: ConversationFilter, description: 'Which of them.' }),
      orderBy: t.arg({ type: ConversationOrder, description: 'In which order.' }),
      ...t.arg.connectionArgs(),
    },
    resolve: (_root, { filter, orderBy, ...paging }, context) => {
      const { userId, createdAt } = parseInput(filterInput, filter ?? {}, 'filter');
      const order = { order: orderBy?.field ?? 'CREATED_AT', direction: orderBy?.direction ?? 'DESC' } as const;
      return resolveList(conversationList, context, paging, order, {
        ...(userId && { userId: { userId } }),
        ...(createdAt && { createdAt: { createdFrom: createdAt.from, createdTo: createdAt.to } }),
      });
    },
  }),
);
