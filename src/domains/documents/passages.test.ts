import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxEmbeddingTokens, tokenizeEmbedding } from '../predictions/embedding.ts';
import { cutPassages, inCharacters, maxPassages, passageText } from './passages.ts';

const wordsOf = (text: string) => text.match(/\S+/g) ?? [];
const sentence = (words: number, mark = '.') => `${Array.from({ length: words }, (_, i) => `w${i}`).join(' ')}${mark}`;

/** Texts of words, sentences, paragraphs, and of anything else. */
const texts = fc.oneof(
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.constantFrom('.', '?”', ',', '\n', '\n\n', '…')), {
      maxLength: 40,
    })
    .map((parts) => parts.map(([words, mark]) => sentence(words, mark)).join(' ')),
  fc.string({ unit: 'grapheme', maxLength: 5_000 }),
  fc
    .array(fc.constantFrom('😀', 'a', ' ', '.', '\n', '漢', '👩‍👩‍👧', 'é'), { maxLength: 3_000 })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 2_000 }),
);

describe('cutPassages', () => {
  it('covers every word, in order, within its bounds', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const passages = cutPassages(text);
        let covered = 0;
        for (const [index, { start, end }] of passages.entries()) {
          expect(start).toBeLessThan(end);
          expect(text.slice(covered, Math.max(covered, start)).trim()).toBe('');
          expect(end).toBeGreaterThan(covered);
          if (index > 0) expect(start).toBeGreaterThan(passages[index - 1]!.start);
          expect(wordsOf(text.slice(start, end)).length).toBeLessThanOrEqual(90);
          // One word may go over: it has 200 characters at most.
          expect(end - start).toBeLessThanOrEqual(500 + 400);
          covered = end;
        }
        expect(text.slice(covered).trim()).toBe('');
      }),
    );
  });

  it('counts in characters as the database does, and cuts none of them', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const characters = [...text];
        const passages = cutPassages(text);
        inCharacters(text, passages).forEach(({ start, length }, index) => {
          const { start: from, end } = passages[index]!;
          expect(characters.slice(start, start + length).join('')).toBe(text.slice(from, end));
        });
      }),
    );
  });

  it('ends with a paragraph where one ends behind the first third', () => {
    const text = `${sentence(40)}\n\n${sentence(40)} ${sentence(30)}`;
    const passages = cutPassages(text);
    expect(passages.map(({ start, end }) => wordsOf(text.slice(start, end)).length)).toEqual([40, 70]);
  });

  it('ends with a sentence else, and repeats the last one', () => {
    const text = [50, 15, 12, 60].map((words) => sentence(words)).join(' ');
    const passages = cutPassages(text);
    expect(passages.map(({ start, end }) => wordsOf(text.slice(start, end)).length)).toEqual([77, 72]);
    expect(text.slice(passages[1]!.start)).toMatch(/^w0 /);
  });

  it('repeats some words where no sentence ends', () => {
    const text = sentence(200);
    const [first, second] = cutPassages(text);
    expect(wordsOf(text.slice(second!.start, first!.end))).toHaveLength(10);
  });

  it('gives nothing for a text without words, and one passage for a short one', () => {
    expect(cutPassages(' \n ')).toEqual([]);
    expect(cutPassages(' a b. ')).toEqual([{ start: 1, end: 5 }]);
  });

  it('fits the model with a title: all of a passage of plain words is read', () => {
    const words = 'the payment of your invoice failed because the account number has changed since January'.split(' ');
    const text = Array.from({ length: 400 }, (_, index) => words[index % words.length]).join(' ');
    const title = words.join(' ').slice(0, 80);
    for (const passage of cutPassages(text)) {
      expect(tokenizeEmbedding(passageText(title, text, passage)).length).toBeLessThan(maxEmbeddingTokens);
    }
  });

  it.each([
    ['200,000 characters of plain words', 'please send me an invoice '.repeat(8_000), 500],
    ['200,000 one-letter words', 'a '.repeat(100_000), maxPassages],
    ['one word of 200,000 characters', 'a'.repeat(200_000), 500],
    ['200,000 full stops', '.'.repeat(200_000), 500],
    ['200,000 line ends', `a${'\n'.repeat(199_998)}b`, 2],
    ['100,000 emoji', '😀'.repeat(100_000), 500],
  ])('is bounded for %s', (_, text, most) => {
    const passages = cutPassages(text.trim());
    expect(passages.length).toBeGreaterThan(0);
    expect(passages.length).toBeLessThanOrEqual(most);
  });
});
