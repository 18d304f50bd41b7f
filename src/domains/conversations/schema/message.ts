import { builder } from '../../../schema/builder.ts';
import { parseUuid } from '../../../schema/global-id.ts';
import { loaded, optionalReference, reference } from '../../../schema/loaded-field.ts';
import { userById } from '../../accounts/loaders.ts';
import { UserRef } from '../../accounts/schema.ts';
import { sentimentByText } from '../../predictions/loaders.ts';
import { SentimentRef } from '../../predictions/schema/sentiment.ts';
import { conversationById, messageById } from '../loaders.ts';
import type { Message } from '../tables.ts';
import { ConversationRef, MessageRef, MessageRole } from './types.ts';

builder.node(MessageRef, {
  description: 'What was said once in a conversation.',
  id: { resolve: (message) => message.id, parse: parseUuid },
  loadWithoutCache: (id, context) => messageById(context).load(id),
  fields: (t) => ({
    role: t.expose('role', { type: MessageRole, description: 'Who spoke.' }),
    content: t.exposeString('content', { description: 'What was said.' }),
    author: t.field({
      type: UserRef,
      nullable: true,
      description: 'The person who spoke; null for the assistant and the system.',
      ...optionalReference(userById, (message: Message) => message.authorId),
    }),
    conversation: t.field({
      type: ConversationRef,
      description: 'The conversation it belongs to.',
      ...reference(conversationById, (message: Message) => message.conversationId),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was said.' }),
    sentiment: t.field({
      type: SentimentRef,
      cost: 2,
      description: 'How it sounds, inferred now; all messages of a request share one batch.',
      ...loaded(sentimentByText, (message: Message) => message.content),
    }),
  }),
});
