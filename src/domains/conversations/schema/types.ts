import { builder } from '../../../schema/builder.ts';
import { connectionType } from '../../../schema/connection.ts';
import type { Conversation, Message } from '../tables.ts';

export const ConversationRef = builder.objectRef<Conversation>('Conversation');
export const MessageRef = builder.objectRef<Message>('Message');

export const MessageConnection = connectionType('Message', MessageRef, 'messages');

export const MessageRole = builder.enumType('MessageRole', {
  description: 'Who spoke.',
  values: {
    USER: { description: 'A person.' },
    ASSISTANT: { description: 'The assistant.' },
    SYSTEM: { description: 'An instruction to the assistant.' },
  },
});
