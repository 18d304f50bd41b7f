import type { Conversation, Message } from '../domains/conversations/tables.ts';
import type { Document } from '../domains/documents/tables.ts';
import { helpArticles } from './corpus/help-articles.ts';
import { createSeededIds, isoTime } from './ids.ts';
import type { OrganizationPlan } from './organizations.ts';
import { createRandom, type Random } from './random.ts';
import { climateAt, type Dialogue, writeDialogue } from './support-dialogues.ts';

const dayMs = 86_400_000;
const yearMs = 365 * dayMs;

/** A message that no model has read yet. */
export type UnscoredMessage = Omit<Message, 'sentimentLabel' | 'sentimentScore'>;

export interface ConversationRows {
  conversations: Conversation[];
  messages: UnscoredMessage[];
}

/** An organization's support conversations of the last 12 months, in the order they began; all ended before `nowMs`. */
export function createConversations(
  plan: OrganizationPlan,
  userIds: readonly string[],
  nowMs: number,
): ConversationRows {
  const random = createRandom(`conversations of ${plan.name}`);
  const newId = createSeededIds(`conversations of ${plan.name}`);
  const rows: ConversationRows = { conversations: [], messages: [] };
  for (const wantedMs of listStarts(random, plan.conversations, nowMs)) {
    const { moods, outageWeight } = climateAt(1 - (nowMs - wantedMs) / yearMs);
    const dialogue = writeDialogue(random, random.weighted(moods), outageWeight);
    const createdMs = Math.min(wantedMs, nowMs - durationOf(dialogue));
    const conversationId = newId(createdMs);
    const userId = random.pick(userIds);
    let atMs = createdMs;
    for (const { role, content, gapMs } of dialogue.lines) {
      atMs += gapMs;
      const authorId = role === 'USER' ? userId : null;
      const id = newId(atMs);
      rows.messages.push({
        organizationId: plan.id,
        id,
        conversationId,
        role,
        content,
        authorId,
        createdAt: isoTime(atMs),
      });
    }
    rows.conversations.push({
      organizationId: plan.id,
      id: conversationId,
      title: dialogue.title,
      userId,
      createdAt: isoTime(createdMs),
      lastMessageAt: isoTime(atMs),
    });
  }
  return rows;
}

/** The first articles of the help center, uploaded over the months before last. */
export function createDocuments(plan: OrganizationPlan, uploaderIds: readonly string[], nowMs: number): Document[] {
  const random = createRandom(`documents of ${plan.name}`);
  const newId = createSeededIds(`documents of ${plan.name}`);
  return helpArticles.slice(0, plan.documents).map(({ title, paragraphs }) => {
    const createdMs = Math.floor(nowMs - (60 + 280 * random.next()) * dayMs);
    const content = paragraphs.join('\n\n');
    const uploadedById = random.pick(uploaderIds);
    return {
      organizationId: plan.id,
      id: newId(createdMs),
      title,
      content,
      uploadedById,
      createdAt: isoTime(createdMs),
    };
  });
}

/** Mostly on weekdays between 6 and 20 UTC, and more from month to month; some in the last day. */
function listStarts(random: Random, count: number, nowMs: number): number[] {
  const starts = Array.from({ length: count }, (_, index) => {
    const age = index < count / 100 ? random.next() : 365 * random.next() ** 1.25;
    let day = Math.floor(nowMs / dayMs - age);
    // Day 0 of the epoch was a Thursday, so days 2 and 3 are a weekend.
    if ((day % 7 === 2 || day % 7 === 3) && random.chance(0.7)) day -= 2;
    return Math.floor((day + (6 + 7 * (random.next() + random.next())) / 24) * dayMs);
  });
  const earliest = nowMs - yearMs;
  return starts.map((start) => Math.min(Math.max(start, earliest), nowMs)).sort((a, b) => a - b);
}

function durationOf({ lines }: Dialogue): number {
  return lines.reduce((sum, line) => sum + line.gapMs, 0);
}
