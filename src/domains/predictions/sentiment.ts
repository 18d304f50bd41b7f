/** Sentiment of a text: what goes into the model (hashed n-grams) and what its probabilities mean. Pure; also trains it. */
import { bucketOf, hashPair, hashText, listGramHashes, listWords } from './hashed-words.ts';

/** Classes of the model's output, in its order. A text may have several: the probabilities are independent. */
export const sentimentClasses = ['positive', 'negative', 'ambiguous', 'neutral'] as const;
/** Ids lie in 1..buckets-1; 0 is padding. */
export const sentimentBuckets = 2 ** 16;
/** Most ids of one text: some 150 words; what follows is not read. */
export const maxSentimentTokens = 1_024;

export type SentimentLabel = 'NEGATIVE' | 'NEUTRAL' | 'POSITIVE';
export interface SentimentReading {
  label: SentimentLabel;
  /** Probability of positive against negative and neutral, 0 to 1. */
  score: number;
}

const maxCachedWords = 50_000;
const padding = 0;
const gramLength = 4;
// "not very good" must not look like "good": the words behind a negation are other words.
const negations = new Set(
  `not no never none nobody nothing neither nor without hardly cannot cant dont doesnt didnt isnt arent wasnt werent wont
  wouldnt couldnt shouldnt hasnt havent hadnt aint`.split(/\s+/),
);
const negatedWords = 4;
const clauseEnd = /^(?:[.,;:!?]|but)$/;
const numberPattern = /^\p{N}+$/u;
const anyNumber = '0';

interface WordIds {
  hash: number;
  isNegation: boolean;
  endsClause: boolean;
  /** The word itself, then its character 4-grams. */
  ids: Int32Array;
}

const start = hashText('<s>');
const end = hashText('</s>');
const negation = hashText('<not>');
const wordCache = new Map<string, WordIds>();

/**
 * Ids of a text for the model's input. Each word gives its pair with the word before, itself and its character 4-grams;
 * behind a negation in the same clause, the last two give way to its pair with "not". All numbers are one word. An
 * Int32Array of 1..maxSentimentTokens ids; a text without any visible character is one id of padding.
 */
export function tokenizeSentiment(text: string): Int32Array {
  const ids: number[] = [];
  let previous = start;
  let negated = 0;
  for (const spelling of listWords(text)) {
    const word = lookUpWord(spelling);
    ids.push(pairId(previous, word.hash));
    if (negated > 0) ids.push(pairId(negation, word.hash));
    else ids.push(...word.ids);
    negated = countNegated(word, negated);
    previous = word.hash;
    if (ids.length >= maxSentimentTokens) break;
  }
  ids.push(ids.length > 0 ? pairId(previous, end) : padding);
  return Int32Array.from(ids.slice(0, maxSentimentTokens));
}

/**
 * Label and score of one row of probabilities, in the order of sentimentClasses. The label is the most probable of
 * positive, neutral and negative ("ambiguous" means surprise or confusion, which is no polarity); ties are neutral.
 * The score is positive's share of those three, so POSITIVE always has a higher score than the other two shares.
 */
export function readSentiment(probabilities: ArrayLike<number>): SentimentReading {
  const positive = probabilities[0] ?? 0;
  const negative = probabilities[1] ?? 0;
  const neutral = probabilities[3] ?? 0;
  const total = positive + negative + neutral;
  const score = total > 0 ? positive / total : 0;
  if (positive > neutral && positive > negative) return { label: 'POSITIVE', score };
  if (negative > neutral && negative > positive) return { label: 'NEGATIVE', score };
  return { label: 'NEUTRAL', score };
}

/** Of a word in lower case, as listWords gives it. */
export function isNegation(word: string): boolean {
  return negations.has(word) || word.endsWith("n't");
}

function lookUpWord(word: string): WordIds {
  const cached = wordCache.get(word);
  if (cached !== undefined) return cached;
  if (wordCache.size >= maxCachedWords) wordCache.clear();
  const known = numberPattern.test(word) ? anyNumber : word;
  const computed: WordIds = {
    hash: hashText(known),
    isNegation: isNegation(word),
    endsClause: clauseEnd.test(word),
    ids: Int32Array.from(listWordIds(known)),
  };
  wordCache.set(word, computed);
  return computed;
}

/** How many of the words behind this one are still negated. */
function countNegated(word: WordIds, negated: number): number {
  if (word.isNegation) return negatedWords;
  return word.endsClause ? 0 : Math.max(0, negated - 1);
}

function* listWordIds(word: string): Generator<number> {
  yield bucketOf(hashText(word), sentimentBuckets);
  for (const hash of listGramHashes(word, gramLength)) yield bucketOf(hash, sentimentBuckets);
}

function pairId(first: number, second: number): number {
  return bucketOf(hashPair(first, second), sentimentBuckets);
}
