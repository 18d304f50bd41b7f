/** Words of a text as hashed ids: what the tokenizers of text models share. Shipped models depend on every id. */

// Bounds the work for any text: what follows is not read.
const maxCharacters = 4_096;
const maxWordLength = 32;
const shortestWordWithGrams = 3;
const wordPattern = /[\p{L}\p{M}\p{N}']+|[^\s\p{L}\p{M}\p{N}\p{C}']/gu;

/** Words and punctuation marks in their order, in lower case; at most 32 characters each, of the first 4,096 of the text. */
export function* listWords(text: string): Generator<string> {
  const normalized = text.slice(0, maxCharacters).toLowerCase().replaceAll('\u2019', "'");
  for (const [match] of normalized.matchAll(wordPattern)) yield match.slice(0, maxWordLength);
}

/** Hashes of the n-grams of a word between marks of its ends; words of one or two characters have none. */
export function* listGramHashes(word: string, length: number): Generator<number> {
  const characters = [...word];
  if (characters.length < shortestWordWithGrams) return;
  const marked = ['<', ...characters, '>'];
  for (let from = 0; from + length <= marked.length; from++) {
    yield hashText(`#${marked.slice(from, from + length).join('')}`);
  }
}

/** 32-bit FNV-1a over UTF-16 code units: lone surrogates hash like any other unit. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = mixIn(hash, text.charCodeAt(i));
  return hash >>> 0;
}

/** Hash of two words in this order, from their hashes. */
export function hashPair(first: number, second: number): number {
  let hash = mixIn(first, 0x20);
  hash = mixIn(hash, second & 0xffff);
  return mixIn(hash, second >>> 16);
}

/** An id in 1..buckets-1; 0 is padding. */
export function bucketOf(hash: number, buckets: number): number {
  // The low bits of FNV of short texts are poor, so the high ones are folded in.
  return 1 + (((hash ^ (hash >>> 15)) >>> 0) % (buckets - 1));
}

function mixIn(hash: number, value: number): number {
  return Math.imul(hash ^ value, 0x01000193) >>> 0;
}
