import type { Message } from '../domains/conversations/tables.ts';
import { scoreTexts } from '../domains/predictions/score-texts.ts';
import type { InferenceEngine } from '../inference/engine.ts';
import type { PredictionSink } from '../inference/prediction-sink.ts';
import type { UnscoredMessage } from './conversations.ts';

export type Score = Pick<Message, 'sentimentLabel' | 'sentimentScore'>;

// Few enough for the engine's queue, enough to keep its workers busy.
const textsPerCall = 512;

/** What the serving model says of texts, each distinct one asked once, by text; a text that it fails on is left unscored. */
export async function scoreDistinctTexts(
  inference: InferenceEngine,
  predictions: PredictionSink,
  organizationId: string,
  texts: Iterable<string>,
): Promise<Map<string, Score>> {
  const distinct = [...new Set(texts)];
  const context = { inference, predictions, signal: new AbortController().signal };
  const scores = new Map<string, Score>();
  for (let from = 0; from < distinct.length; from += textsPerCall) {
    const batch = distinct.slice(from, from + textsPerCall);
    const results = await scoreTexts(context, organizationId, batch);
    results.forEach((result, index) => {
      scores.set(
        batch[index]!,
        result instanceof Error
          ? { sentimentLabel: null, sentimentScore: null }
          : { sentimentLabel: result.label, sentimentScore: result.score },
      );
    });
  }
  return scores;
}

/** Messages with the scores of their texts. */
export function applyScores(messages: readonly UnscoredMessage[], scores: ReadonlyMap<string, Score>): Message[] {
  return messages.map((message) => ({ ...message, ...scores.get(message.content)! }));
}
