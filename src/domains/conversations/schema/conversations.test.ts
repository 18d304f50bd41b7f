import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../../context.ts';
import type { InferenceEngine } from '../../../inference/engine.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import { createConversation, createOrganization, createUser } from '../../../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp } from '../../../testing/test-app.ts';

let app: TestApp;
/** The rows of each call of the engine. */
let batches: number[] = [];

function countBatches(engine: InferenceEngine): InferenceEngine {
  return {
    versions: () => engine.versions(),
    failures: () => engine.failures(),
    pendingRows: () => engine.pendingRows(),
    close: () => engine.close(),
    predict: (request) => {
      batches.push(request.rows.length);
      return engine.predict(request);
    },
  };
}

beforeAll(async () => {
  app = await createTestApp({ wrapInference: countBatches });
});

afterAll(() => app.close());

beforeEach(() => {
  batches = [];
});

const pageOfConversations = `query ($first: Int!) {
  conversations(first: $first) {
    nodes {
      title user { name }
      messages(first: 10) { nodes { content role author { name } sentiment { label score } } pageInfo { hasNextPage } }
    }
  }
}`;

describe('a page of conversations', () => {
  beforeAll(async () => {
    for (let index = 0; index < 100; index += 1) {
      const texts = Array.from({ length: 12 }, (_, line) => `Message ${line} of conversation ${index}, thank you`);
      await createConversation(app.database.pool, app.viewer, texts);
    }
  });

  test.each([1, 10, 100])('runs the same statements and one batch for first: %i', async (first) => {
    let answer: Awaited<ReturnType<TestApp['query']>> | undefined;
    const statements = await countStatements(app, async () => {
      answer = await app.query(pageOfConversations, { first });
    });
    expect(answer?.errors).toBeUndefined();
    const { nodes } = answer!.data.conversations;
    expect(nodes).toHaveLength(first);
    expect(nodes[0]).toMatchObject({ user: { name: 'Ada' }, messages: { pageInfo: { hasNextPage: true } } });
    expect(nodes[0].messages.nodes.map(({ author }: { author: unknown }) => author)).toEqual(
      Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? { name: 'Ada' } : null)),
    );
    expect(statements.sort()).toEqual(['listUsersByIds', 'list_conversations', 'list_messages']);
    expect(batches).toEqual([first * 10]);
  });

  test('asks for the sentiment of equal texts once', async () => {
    const { conversation } = await createConversation(app.database.pool, app.viewer, ['Fine', 'Fine', 'Bad', 'Fine']);
    const answer = await askConversation(conversation.id, 'messages { nodes { content sentiment { score } } }');
    expect(batches).toEqual([2]);
    const scores = answer.messages.nodes.map((node: { sentiment: { score: number } }) => node.sentiment.score);
    expect(new Set([scores[0], scores[1], scores[3]]).size).toBe(1);
  });
});

interface Said {
  id: string;
  content: string;
  role: string;
  createdAt: string;
  author: { name: string } | null;
  sentiment: { label: string; score: number };
}

const messageFields = 'id content role createdAt author { name } sentiment { label score }';
const startConversation = `mutation ($input: StartConversationInput!) {
  startConversation(input: $input) { conversation { id title createdAt lastMessageAt user { id } sentiment { total mean } } }
}`;
const sendMessage = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { message { ${messageFields} conversation { lastMessageAt sentiment { total mean } } } }
}`;
const importMessages = `mutation ($input: ImportMessagesInput!) {
  importMessages(input: $input) { messages { ${messageFields} } }
}`;

async function askConversation(id: string, fields: string) {
  const document = `query ($id: ID!) { conversation(id: $id) { ${fields} } }`;
  const answer = await app.query(document, { id: encodeGlobalId('Conversation', id) });
  expect(answer.errors).toBeUndefined();
  return answer.data.conversation;
}

/** The messages as they are stored, in their order. */
async function storedMessages(conversationId: string) {
  const text = `select content, sentiment_label as label, sentiment_score::float8 as score, created_at as "createdAt"
    from messages where conversation_id = $1 order by id`;
  type Row = { content: string; label: string; score: number; createdAt: string };
  return app.database.pool.run<Row>({ name: 'testMessages', text }, [conversationId]);
}

async function countRows(table: 'messages' | 'conversations'): Promise<number> {
  const text = `select count(*)::integer as count from ${table}`;
  const [row] = await app.database.pool.run<{ count: number }>({ name: 'testCount', text }, []);
  return row!.count;
}

describe('a conversation', () => {
  test('costs one statement with its user, which is read only when asked for', async () => {
    const { conversation } = await createConversation(app.database.pool, app.viewer, []);
    let answer: unknown;
    const together = await countStatements(app, async () => {
      answer = await askConversation(conversation.id, 'title user { id }');
    });
    const user = { id: encodeGlobalId('User', app.viewer.userId) };
    expect(answer).toEqual({ title: conversation.title, user });
    expect(together).toEqual(['listConversationsWithUsersByIds']);
    const alone = await countStatements(app, () => askConversation(conversation.id, 'title'));
    expect(alone).toEqual(['listConversationsByIds']);
  });
});

describe('startConversation', () => {
  test('starts one of the viewer, empty', async () => {
    const { data } = await app.query(startConversation, { input: { title: '  A question ' } });
    expect(data.startConversation.conversation).toMatchObject({
      title: 'A question',
      lastMessageAt: null,
      user: { id: encodeGlobalId('User', app.viewer.userId) },
      sentiment: { total: 0, mean: null },
    });
  });

  test('imports one of another user from earlier', async () => {
    const userId = encodeGlobalId('User', await createUser(app.database.pool, app.viewer.organizationId, 'Eve'));
    const input = { title: 'Old', userId, createdAt: '2025-03-01T10:00:00.123456+02:00' };
    const { data } = await app.query(startConversation, { input });
    expect(data.startConversation.conversation).toMatchObject({
      createdAt: '2025-03-01T08:00:00.123Z',
      user: { id: userId },
    });
  });

  test.each([
    ['a time ahead of now', { createdAt: '2999-01-01T00:00:00Z' }, 'BAD_USER_INPUT', 'input.createdAt'],
    ['an empty title', { title: ' ' }, 'BAD_USER_INPUT', 'input.title'],
    ['an unknown user', { userId: encodeGlobalId('User', crypto.randomUUID()) }, 'NOT_FOUND', 'input.userId'],
    [
      'an id of another type',
      { userId: encodeGlobalId('Site', crypto.randomUUID()) },
      'BAD_USER_INPUT',
      'input.userId',
    ],
  ])('refuses %s and writes nothing', async (_case, change, code, path) => {
    const before = await countRows('conversations');
    const answer = await app.query(startConversation, { input: { title: 'New', ...change } });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code, issues: [{ path }] });
    expect(await countRows('conversations')).toBe(before);
  });
});

describe('sendMessage', () => {
  test('stores the sentiment that the model gives', async () => {
    const { conversation } = await createConversation(app.database.pool, app.viewer, []);
    const conversationId = encodeGlobalId('Conversation', conversation.id);
    const input = { conversationId, content: 'I love this, thank you so much!' };
    const answer = await app.query(sendMessage, { input });
    expect(answer.errors).toBeUndefined();
    const { message } = answer.data.sendMessage;
    expect(message).toMatchObject({ content: input.content, role: 'USER', author: { name: 'Ada' } });
    expect(message.sentiment.label).toBe('POSITIVE');
    const [stored] = await storedMessages(conversation.id);
    expect(stored).toMatchObject({ label: message.sentiment.label, score: expect.closeTo(message.sentiment.score, 5) });
    expect(message.conversation).toEqual({
      lastMessageAt: message.createdAt,
      sentiment: { total: 1, mean: expect.closeTo(message.sentiment.score, 5) },
    });
  });

  test('has no author for the assistant', async () => {
    const { conversation } = await createConversation(app.database.pool, app.viewer, []);
    const conversationId = encodeGlobalId('Conversation', conversation.id);
    const { data } = await app.query(sendMessage, { input: { conversationId, content: 'Hello', role: 'ASSISTANT' } });
    expect(data.sendMessage.message).toMatchObject({ role: 'ASSISTANT', author: null });
  });
});

describe('importMessages', () => {
  const texts = ['This is terrible, I am angry', 'The page has a table', 'Great work, I love it', 'Bad', 'Thanks!'];

  test('stores all in one statement and one batch, with the sentiment that the model gives', async () => {
    const { conversation } = await createConversation(app.database.pool, app.viewer, []);
    const conversationId = encodeGlobalId('Conversation', conversation.id);
    const messages = texts.map((content) => ({
      content,
      role: 'USER',
      createdAt: conversation.createdAt.replace(' ', 'T').replace('+00', 'Z'),
    }));
    let answer: Awaited<ReturnType<TestApp['query']>> | undefined;
    const statements = await countStatements(app, async () => {
      answer = await app.query(importMessages.replace('sentiment { label score }', ''), {
        input: { conversationId, messages },
      });
    });
    expect(answer?.errors).toBeUndefined();
    expect(statements).toEqual(['listConversationsByIds', 'insertMessages', 'listUsersByIds']);
    expect(batches).toEqual([texts.length]);
    expect(answer!.data.importMessages.messages.map(({ content }: Said) => content)).toEqual(texts);

    const fields = `messages { nodes { ${messageFields} } } sentiment { mean negative neutral positive total }`;
    const asked = await askConversation(conversation.id, fields);
    const said: Said[] = asked.messages.nodes;
    // All were said in the conversation's first millisecond: they stay in the order given.
    expect(said.map(({ content }) => content)).toEqual(texts);
    const stored = await storedMessages(conversation.id);
    expect(stored.map(({ content, label, score }) => ({ content, label, score }))).toEqual(
      said.map(({ content, sentiment: { label, score } }) => ({ content, label, score: expect.closeTo(score, 5) })),
    );
    const labelled = (label: string) => said.filter(({ sentiment }) => sentiment.label === label).length;
    expect(new Set(said.map(({ sentiment }) => sentiment.label)).size).toBe(3);
    expect(asked.sentiment).toEqual({
      mean: expect.closeTo(said.reduce((sum, { sentiment }) => sum + sentiment.score, 0) / said.length, 5),
      negative: labelled('NEGATIVE'),
      neutral: labelled('NEUTRAL'),
      positive: labelled('POSITIVE'),
      total: texts.length,
    });
  });

  test('leaves messages without a score out of the mean, not of the total', async () => {
    const { conversation } = await createConversation(app.database.pool, app.viewer, ['Unscored', 'Unscored too']);
    const conversationId = encodeGlobalId('Conversation', conversation.id);
    const { data } = await app.query(sendMessage, { input: { conversationId, content: 'Great, I love it' } });
    const { sentiment } = await askConversation(conversation.id, 'sentiment { total positive mean }');
    const { score } = data.sendMessage.message.sentiment;
    expect(sentiment).toEqual({ total: 3, positive: 1, mean: expect.closeTo(score, 5) });
  });

  test('refuses what does not fit and writes nothing', async () => {
    const { conversation } = await createConversation(app.database.pool, app.viewer, ['Hello']);
    const stranger = await createOrganization(app.database.pool, 'Other');
    const foreign = (await createConversation(app.database.pool, stranger, ['Hello'])).conversation;
    const ownId = encodeGlobalId('Conversation', conversation.id);
    const before = await countRows('messages');
    const good = { content: 'Hello', role: 'USER' };
    const early = new Date(Date.parse(conversation.createdAt) - 1).toISOString();
    const cases: [string, object[], string, string][] = [
      [encodeGlobalId('Conversation', foreign.id), [good], 'NOT_FOUND', 'input.conversationId'],
      [encodeGlobalId('Conversation', crypto.randomUUID()), [good], 'NOT_FOUND', 'input.conversationId'],
      [encodeGlobalId('Site', conversation.id), [good], 'BAD_USER_INPUT', 'input.conversationId'],
      [ownId, [good, { ...good, authorId: userIdOf(stranger) }], 'NOT_FOUND', 'input.messages.1.authorId'],
      [ownId, [good, good, { ...good, createdAt: early }], 'BAD_USER_INPUT', 'input.messages.2.createdAt'],
      [ownId, [{ ...good, createdAt: '2999-01-01T00:00:00Z' }], 'BAD_USER_INPUT', 'input.messages.0.createdAt'],
      [ownId, [good, { ...good, content: '' }], 'BAD_USER_INPUT', 'input.messages.1.content'],
      [ownId, [], 'BAD_USER_INPUT', 'input.messages'],
      [ownId, Array.from({ length: 1001 }, () => good), 'BAD_USER_INPUT', 'input.messages'],
    ];
    for (const [conversationId, messages, code, path] of cases) {
      const answer = await app.query(importMessages, { input: { conversationId, messages } });
      expect(answer.errors?.[0]?.extensions, path).toMatchObject({ code, issues: [{ path }] });
    }
    expect(await countRows('messages')).toBe(before);
    const { lastMessageAt } = await askConversation(conversation.id, 'lastMessageAt');
    expect(Date.parse(lastMessageAt)).toBe(Date.parse(conversation.createdAt) + 60_000);
  });

  test('keeps messages when no model can score them', async () => {
    const failing = (engine: InferenceEngine) => ({
      ...countBatches(engine),
      predict: () => Promise.reject(new Error('no model')),
    });
    const other = await createTestApp({ wrapInference: failing });
    const { conversation } = await createConversation(other.database.pool, other.viewer, []);
    const input = { conversationId: encodeGlobalId('Conversation', conversation.id), content: 'Hello' };
    const document = sendMessage.replace('sentiment { label score }', '');
    const answer = await other.query(document, { input });
    expect(answer.errors).toBeUndefined();
    expect(answer.data.sendMessage.message.conversation.sentiment).toEqual({ total: 1, mean: null });
    await other.close();
  });
});

function userIdOf(viewer: Viewer): string {
  return encodeGlobalId('User', viewer.userId);
}
