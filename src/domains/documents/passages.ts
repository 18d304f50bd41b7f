/** Where a document is cut into passages, each small enough that one vector tells what it is about. Pure. */

/** A part of a text: offsets in UTF-16 units, the end exclusive. Both lie at the borders of words. */
export interface Passage {
  start: number;
  end: number;
}

/** Most passages of a document: what follows (of 200,000 characters of English: nothing) is found by its words only. */
export const maxPassages = 512;

// The embedding model reads 1,024 ids, 2 for a letter: 500 characters and a title of 80 fit. Behind a longer title the last
// words may be left out.
const maxWords = 90;
const maxUnits = 500;
/** Of the most that fits: a new paragraph is often about something else, so it begins a passage sooner. */
const leastShares = { paragraph: 1 / 3, sentence: 2 / 3 };
const overlapWords = 20;
const overlapShare = 1 / 3;
const closingMarks = new Set('"\'”’)]»');
const sentenceMarks = new Set('.!?…。！？');

/** A word, or a piece of one that is longer than any word; `border` is what ends with it. */
interface Word extends Passage {
  border: 'word' | 'sentence' | 'paragraph';
}

/**
 * Cuts a text into passages of at most 500 characters and 90 words: at the end of a paragraph in the last two thirds of what
 * fits, else at the end of a sentence or line in the last third, else of a word. Behind a sentence or a word,
 * the next passage begins with up to 20 words of the one before. In order, without empty ones; together they hold every
 * word of the text up to the last passage.
 */
export function cutPassages(text: string): Passage[] {
  const words = listWords(text);
  const passages: Passage[] = [];
  let from = 0;
  while (from < words.length && passages.length < maxPassages) {
    const to = findBreak(words, from);
    passages.push({ start: words[from]!.start, end: words[to - 1]!.end });
    from = to === words.length ? to : findOverlap(words, from, to);
  }
  return passages;
}

/** What is embedded for a passage: the title says what a text with few names of its own is about. */
export function passageText(title: string, content: string, { start, end }: Passage): string {
  return `${title}\n${content.slice(start, end)}`;
}

/** Passages of a text as the database counts: the start and the length in characters (code points), in the same order. */
export function inCharacters(text: string, passages: readonly Passage[]): { start: number; length: number }[] {
  const borders = [...new Set(passages.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
  const characters = new Map<number, number>();
  let [at, count] = [0, 0];
  for (const border of borders) {
    for (; at < border; count++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
    characters.set(border, count);
  }
  return passages.map(({ start, end }) => {
    const first = characters.get(start)!;
    return { start: first, length: characters.get(end)! - first };
  });
}

function listWords(text: string): Word[] {
  const words: Word[] = [];
  for (const { index, 0: spelling } of text.matchAll(/\S{1,200}/gu)) {
    const previous = words.at(-1);
    if (previous) previous.border = borderOf(text.slice(previous.end, index)) ?? previous.border;
    words.push({ start: index, end: index + spelling.length, border: endsSentence(spelling) ? 'sentence' : 'word' });
  }
  return words;
}

/** null: the words stand in one line. */
function borderOf(space: string): 'sentence' | 'paragraph' | null {
  const lineEnds = space.split('\n').length - 1;
  if (lineEnds === 0) return null;
  return lineEnds === 1 ? 'sentence' : 'paragraph';
}

function endsSentence(word: string): boolean {
  let last = word.length - 1;
  while (last > 0 && closingMarks.has(word[last]!)) last--;
  return sentenceMarks.has(word[last]!);
}

/** The index behind the last word of the passage that begins at `from`. */
function findBreak(words: readonly Word[], from: number): number {
  let most = from + 1;
  while (most < words.length && most - from < maxWords && words[most]!.end - words[from]!.start <= maxUnits) most++;
  if (most === words.length) return most;
  for (const border of ['paragraph', 'sentence'] as const) {
    for (let to = most; to - from >= leastShares[border] * (most - from); to--)
      if (words[to - 1]!.border === border) return to;
  }
  return most;
}

/** Where the next passage begins: with the last sentence, or half of the words allowed where that is too long. */
function findOverlap(words: readonly Word[], from: number, to: number): number {
  if (words[to - 1]!.border === 'paragraph') return to;
  const most = Math.min(overlapWords, Math.floor(overlapShare * (to - from)));
  for (let start = to - 1; to - start <= most; start--) if (words[start - 1]!.border !== 'word') return start;
  return to - Math.floor(most / 2);
}
