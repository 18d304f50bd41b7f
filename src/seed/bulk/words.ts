import type { Database } from '../../db/database.ts';
import type { User } from '../../domains/accounts/tables.ts';
import type { InferenceEngine } from '../../inference/engine.ts';
import type { Mood } from '../corpus/support-topic.ts';
import { listTestNames, writeFeatureTexts } from '../features.ts';
import type { PredictionLog } from '../prediction-log.ts';
import { createRandom, type Random } from '../random.ts';
import { scoreDistinctTexts } from '../scores.ts';
import { climateAt, type DialogueLine, supportTopics, writeDialogue } from '../support-dialogues.ts';
import { analyzeWordTables, createWordTables, insertWords } from './conversation-queries.ts';
import type { Scale } from './scale.ts';

const dayMs = 86_400_000;
const mostTexts = 20_000;
const mostTests = 12;
const rowsPerStatement = 5_000;
/** The pools of dialogues, in the order that the statements of conversation-queries.ts number them. */
const pools: readonly { mood: Mood; outageWeight: number }[] = [
  { mood: 'negative', outageWeight: 1e6 },
  { mood: 'negative', outageWeight: 0 },
  { mood: 'neutral', outageWeight: 1 },
  { mood: 'positive', outageWeight: 1 },
];

/** What the bulk statements need to know of the word tables. */
export interface Words {
  texts: number;
  users: number;
  /** Of each pool. */
  dialogues: number;
  /** Length of the longest dialogue. */
  longestMs: number;
}

interface Line {
  pool: number;
  dialogue: number;
  position: number;
  title: string;
  role: DialogueLine['role'];
  content: string;
  at_ms: number;
}

/** Fills temporary tables with the people, feature texts and dialogues that bulk rows are made from; messages are scored here, once each. */
export async function prepareWords(
  transaction: Database,
  { inference, log, organizationId }: { inference: InferenceEngine; log: PredictionLog; organizationId: string },
  people: readonly User[],
  scale: Scale,
  nowMs: number,
): Promise<Words> {
  for (const create of createWordTables) await create.run(transaction, {});
  const users = people.filter((person) => person.isActive).map(({ id }, n) => ({ n, id }));
  const texts = createTexts(Math.min(scale.features, mostTexts));
  const length = longestConversation(scale.messagesPerConversation);
  const dialogues = Math.max(25, Math.min(200, Math.floor(10_000 / length)));
  const lines = createLines(dialogues, length);
  const contents = lines.map((line) => line.content);
  const scores = await scoreDistinctTexts(inference, log, organizationId, contents);
  const scored = lines.map((line) => {
    const { sentimentLabel: label, sentimentScore: score } = scores.get(line.content)!;
    return { ...line, label, score };
  });
  await insert(transaction, 'users', users);
  await insert(transaction, 'texts', texts);
  await insert(transaction, 'days', createDays(nowMs));
  await insert(transaction, 'lines', scored);
  await analyzeWordTables.run(transaction, {});
  const longestMs = lines.reduce((longest, line) => Math.max(longest, line.at_ms), 0);
  return { texts: texts.length, users: users.length, dialogues, longestMs };
}

async function insert(transaction: Database, table: keyof typeof insertWords, rows: readonly object[]): Promise<void> {
  for (let from = 0; from < rows.length; from += rowsPerStatement) {
    await insertWords[table].run(transaction, { rows: JSON.stringify(rows.slice(from, from + rowsPerStatement)) });
  }
}

function createTexts(count: number): object[] {
  const random = createRandom('bulk test names');
  return writeFeatureTexts('bulk', count).map((text, n) => {
    const { name, description } = text;
    return { n, name, description, test_names: listTestNames(random, text, mostTests) };
  });
}

function longestConversation(mean: number): number {
  return mean + Math.trunc(0.4 * mean);
}

function createLines(dialogues: number, length: number): Line[] {
  const random = createRandom('bulk dialogues');
  return pools.flatMap(({ mood, outageWeight }, pool) =>
    Array.from({ length: dialogues }, (_, dialogue) => {
      const { title, lines } = writeLongDialogue(random, mood, outageWeight, length);
      let at_ms = 0;
      return lines.map(({ role, content, gapMs }, index): Line => {
        at_ms += gapMs;
        return { pool, dialogue, position: index + 1, title, role, content, at_ms };
      });
    }).flat(),
  );
}

/** One dialogue after the other with the same customer, until there are `length` lines. */
function writeLongDialogue(random: Random, mood: Mood, outageWeight: number, length: number) {
  const { title, lines } = writeDialogue(random, mood, outageWeight);
  while (lines.length < length) lines.push(...writeDialogue(random, mood, outageWeight).lines);
  return { title, lines: lines.slice(0, length) };
}

/** Each day's moods as thresholds for a number in [0, 1): below outage, below negative, below neutral, else positive. */
function createDays(nowMs: number): object[] {
  const today = Math.floor(nowMs / dayMs);
  return Array.from({ length: 372 }, (_, age) => {
    const { moods, outageWeight } = climateAt(Math.max(0, 1 - age / 365));
    const total = moods.negative + moods.neutral + moods.positive;
    const negative = moods.negative / total;
    const outage = (negative * outageWeight) / (outageWeight + supportTopics.length - 1);
    return { day: today - age, outage, negative, neutral: negative + moods.neutral / total };
  });
}
