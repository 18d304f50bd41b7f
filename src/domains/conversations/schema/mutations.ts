import { z } from 'zod';
import { type Context, requireViewer } from '../../../context.ts';
import { idAt, newId, timeOfId } from '../../../db/id.ts';
import { epochMs } from '../../../db/time.ts';
import { badUserInput, notFound } from '../../../errors.ts';
import { builder } from '../../../schema/builder.ts';
import { idOf, line, listOf, paragraphs, parseInput } from '../../../schema/input.ts';
import {
  idempotencyKey,
  idempotencyKeyDescription,
  keepRow,
  keepRows,
  runOnce,
  type Write,
} from '../../accounts/idempotency.ts';
import { userById } from '../../accounts/loaders.ts';
import { scoreTexts } from '../../predictions/score-texts.ts';
import { conversationById, messageById, sentimentSummaryByConversationId } from '../loaders.ts';
import { insertConversation, insertMessages } from '../queries.ts';
import { type Conversation, type Message, messageRole } from '../tables.ts';
import { ConversationRef, MessageRef, MessageRole } from './types.ts';

const maxMessages = 1000;
const content = paragraphs(1, 10_000);
const pastTime = z
  .string()
  .refine((time) => time >= '2000' && epochMs(time) <= Date.now(), 'expected a time from 2000 on, not ahead of now');

const StartConversationInput = builder.inputType('StartConversationInput', {
  description: 'A new conversation.',
  fields: (t) => ({
    title: t.string({ required: true, description: 'One line, 1 to 200 characters.' }),
    userId: t.id({ description: 'Whose conversation; the viewer’s by default.' }),
    createdAt: t.field({ type: 'DateTime', description: 'When it began, to import history; now by default.' }),
    idempotencyKey: t.string({ description: idempotencyKeyDescription }),
  }),
});

const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'A message of the viewer, the assistant or the system.',
  fields: (t) => ({
    conversationId: t.id({ required: true, description: 'Where it is said.' }),
    content: t.string({ required: true, description: '1 to 10,000 characters.' }),
    role: t.field({ type: MessageRole, description: 'USER by default: the viewer speaks.' }),
    idempotencyKey: t.string({ description: idempotencyKeyDescription }),
  }),
});

const ImportedMessage = builder.inputType('ImportedMessageInput', {
  description: 'A message that was said before.',
  fields: (t) => ({
    content: t.string({ required: true, description: '1 to 10,000 characters.' }),
    role: t.field({ type: MessageRole, required: true, description: 'Who spoke.' }),
    authorId: t.id({
      description: 'The person who spoke; for USER the conversation’s user by default, for others none.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was said, not before its conversation began; now by default.',
    }),
  }),
});

const ImportMessagesInput = builder.inputType('ImportMessagesInput', {
  description: 'Messages of a conversation.',
  fields: (t) => ({
    conversationId: t.id({ required: true, description: 'Where they were said.' }),
    messages: t.field({ type: [ImportedMessage], required: true, description: `1 to ${maxMessages} of them.` }),
    idempotencyKey: t.string({ description: idempotencyKeyDescription }),
  }),
});

const StartConversationPayload = builder
  .objectRef<{ conversation: Conversation }>('StartConversationPayload')
  .implement({
    description: 'What startConversation did.',
    fields: (t) => ({
      conversation: t.expose('conversation', { type: ConversationRef, description: 'The new conversation.' }),
    }),
  });

const SendMessagePayload = builder.objectRef<{ message: Message }>('SendMessagePayload').implement({
  description: 'What sendMessage did.',
  fields: (t) => ({ message: t.expose('message', { type: MessageRef, description: 'The new message.' }) }),
});

const ImportMessagesPayload = builder.objectRef<{ messages: Message[] }>('ImportMessagesPayload').implement({
  description: 'What importMessages did.',
  fields: (t) => ({
    messages: t.expose('messages', { type: [MessageRef], description: 'The new messages, in the order given.' }),
  }),
});

const startInput = z.object({
  title: line(200),
  userId: idOf('User').optional(),
  createdAt: pastTime.optional(),
  idempotencyKey,
});

builder.mutationField('startConversation', (t) =>
  t.field({
    type: StartConversationPayload,
    scope: 'write',
    cost: 10,
    description: 'Starts a conversation.',
    args: { input: t.arg({ type: StartConversationInput, required: true, description: 'What to start.' }) },
    resolve: async (_root, args, context) => {
      const viewer = requireViewer(context);
      const input = parseInput(startInput, args.input);
      const { title, userId = viewer.userId, createdAt } = input;
      const id = createdAt ? idAt(epochMs(createdAt)) : newId();
      const row = { id, title, userId, createdAt: new Date(timeOfId(id)).toISOString() };
      const once = { mutation: 'startConversation', input, keeping: keepRow(conversationById) };
      const conversation = await runOnce(context, once, (write) =>
        write((database) => insertConversation(database, viewer.organizationId, row)),
      );
      if (!conversation) throw notFound('User', 'input.userId');
      return { conversation };
    },
  }),
);

const role = z.enum(messageRole.enumValues);
const sendInput = z.object({
  conversationId: idOf('Conversation'),
  content,
  role: role.default('USER'),
  idempotencyKey,
});

builder.mutationField('sendMessage', (t) =>
  t.field({
    type: SendMessagePayload,
    scope: 'write',
    cost: 10,
    description: 'Says something in a conversation.',
    args: { input: t.arg({ type: SendMessageInput, required: true, description: 'What to say.' }) },
    resolve: async (_root, args, context) => {
      const input = parseInput(sendInput, args.input);
      const authorId = input.role === 'USER' ? requireViewer(context).userId : undefined;
      const [message] = await runOnce(
        context,
        { mutation: 'sendMessage', input, keeping: keepRows(messageById) },
        (write) => addMessages(context, input.conversationId, [{ ...input, authorId }], () => 'input', write),
      );
      return { message: message! };
    },
  }),
);

const importInput = z.object({
  conversationId: idOf('Conversation'),
  messages: listOf(
    z.object({ content, role, authorId: idOf('User').optional(), createdAt: pastTime.optional() }),
    maxMessages,
  ),
  idempotencyKey,
});

builder.mutationField('importMessages', (t) =>
  t.field({
    type: ImportMessagesPayload,
    scope: 'write',
    cost: 10,
    listSize: { slicingArguments: ['input.messages'], sizedFields: ['messages'], maxSize: maxMessages },
    description: 'Adds messages that were said before, in one statement, all or none.',
    args: { input: t.arg({ type: ImportMessagesInput, required: true, description: 'What to add.' }) },
    resolve: async (_root, args, context) => {
      const input = parseInput(importInput, args.input);
      const pathOf = (index: number) => `input.messages.${index}`;
      const once = { mutation: 'importMessages', input, keeping: keepRows(messageById) };
      const messages = await runOnce(context, once, (write) =>
        addMessages(context, input.conversationId, input.messages, pathOf, write),
      );
      return { messages };
    },
  }),
);

interface MessageToAdd {
  content: string;
  role: Message['role'];
  authorId?: string | undefined;
  createdAt?: string | undefined;
}

/** Scores the messages, then inserts them by `write`; `pathOf` names a message's input in errors. */
async function addMessages(
  context: Context,
  conversationId: string,
  messages: readonly MessageToAdd[],
  pathOf: (index: number) => string,
  write: Write<Message[]>,
): Promise<Message[]> {
  const { organizationId } = requireViewer(context);
  const conversation = await conversationById(context).load(conversationId);
  if (!conversation) throw notFound('Conversation', 'input.conversationId');
  const tooEarly = messages.findIndex(({ createdAt }) => createdAt && epochMs(createdAt) < timeOfId(conversation.id));
  if (tooEarly >= 0) {
    throw badUserInput({
      path: `${pathOf(tooEarly)}.createdAt`,
      message: 'expected a time not before the conversation began',
    });
  }
  const scores = await scoreOrSkip(context, organizationId, messages);
  const rows = messages.map((message, index) => ({
    ...scores[index]!,
    ...withIdentity(message, index, timeOfId(conversation.id)),
    role: message.role,
    content: message.content,
    authorId: message.authorId ?? (message.role === 'USER' ? conversation.userId : null),
  }));
  const inserted = await write((database) => insertMessages(database, organizationId, conversationId, rows));
  conversationById(context).clear(conversationId);
  sentimentSummaryByConversationId(context).clear(conversationId);
  if (inserted) return inserted;
  const authors = await userById(context).loadMany(rows.map((row) => row.authorId ?? conversation.userId));
  throw notFound('User', `${pathOf(Math.max(0, authors.indexOf(null)))}.authorId`);
}

/** Never before the conversation's start, even when this process's clock is behind that of the one which started it. */
function withIdentity(
  { createdAt }: MessageToAdd,
  sequence: number,
  startMs: number,
): { id: string; createdAt: string } {
  const now = newId();
  const id = createdAt || timeOfId(now) < startMs ? idAt(createdAt ? epochMs(createdAt) : startMs, sequence) : now;
  return { id, createdAt: new Date(timeOfId(id)).toISOString() };
}

/** A message is kept whether or not a model can score it now; without a score it is left out of means. */
async function scoreOrSkip(context: Context, organizationId: string, messages: readonly MessageToAdd[]) {
  const unscored = { sentimentLabel: null, sentimentScore: null };
  const texts = messages.map((message) => message.content);
  const scores = await scoreTexts(context, organizationId, texts).catch(() => texts.map(() => new Error('not scored')));
  return scores.map((score) =>
    score instanceof Error ? unscored : { sentimentLabel: score.label, sentimentScore: score.score },
  );
}
