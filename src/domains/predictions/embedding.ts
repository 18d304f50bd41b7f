/** A text as a unit vector: what goes into the model (hashed n-grams), and how near two vectors are. Pure; also trains it. */
import { bucketOf, hashText, listGramHashes, listWords } from './hashed-words.ts';

/** Ids lie in 1..buckets-1; 0 is padding. */
export const embeddingBuckets = 2 ** 15;
/** Numbers in a vector. */
export const embeddingDimensions = 128;
/** Most ids of one text: some 120 words; what follows is not read. */
export const maxEmbeddingTokens = 1_024;

const maxCachedWords = 50_000;
const gramLengths = [3, 4];
// A text without any visible character has a vector too, near to no other.
const emptyText = bucketOf(hashText('<empty>'), embeddingBuckets);
const wordCache = new Map<string, Int32Array>();

/**
 * Ids of a text for the model's input: each word and its character 3- and 4-grams. Numbers are words like others: two
 * questions about different numbers are not the same. An Int32Array of 1..maxEmbeddingTokens ids, none of them padding.
 */
export function tokenizeEmbedding(text: string): Int32Array {
  const ids: number[] = [];
  for (const word of listWords(text)) {
    ids.push(...lookUpWord(word));
    if (ids.length >= maxEmbeddingTokens) break;
  }
  if (ids.length === 0) ids.push(emptyText);
  return Int32Array.from(ids.slice(0, maxEmbeddingTokens));
}

/** Cosine of two unit vectors of the model: 1 for equal texts, about 0 for texts without common words. */
export function textSimilarity(first: ArrayLike<number>, second: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < first.length; k++) sum += first[k]! * second[k]!;
  return sum;
}

function lookUpWord(word: string): Int32Array {
  const cached = wordCache.get(word);
  if (cached !== undefined) return cached;
  if (wordCache.size >= maxCachedWords) wordCache.clear();
  const ids = Int32Array.from(listWordHashes(word), (hash) => bucketOf(hash, embeddingBuckets));
  wordCache.set(word, ids);
  return ids;
}

function* listWordHashes(word: string): Generator<number> {
  yield hashText(word);
  for (const length of gramLengths) yield* listGramHashes(word, length);
}
