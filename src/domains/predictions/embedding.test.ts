import { describe, expect, it } from 'vitest';
import { embeddingBuckets, maxEmbeddingTokens, textSimilarity, tokenizeEmbedding } from './embedding.ts';

describe('tokenizeEmbedding', () => {
  it('gives the same ids for the same text, whatever was tokenized before', () => {
    const first = tokenizeEmbedding('Where is my card?');
    for (let i = 0; i < 60_000; i++) tokenizeEmbedding(`word${i}`);
    expect(tokenizeEmbedding('Where is my card?')).toEqual(first);
  });

  it('keeps its ids from version to version: the shipped model and stored vectors depend on them', () => {
    expect([...tokenizeEmbedding('my card')]).toMatchInlineSnapshot(`
      [
        32548,
        22880,
        27010,
        31300,
        24100,
        20041,
        14855,
        13131,
        9987,
      ]
    `);
  });

  it('ignores case and the kind of apostrophe', () => {
    expect(tokenizeEmbedding('DON\u2019T Stop')).toEqual(tokenizeEmbedding("don't stop"));
  });

  it('tells numbers apart, unlike sentiment: 2 + 2 is not the same question as 3 + 5', () => {
    expect(tokenizeEmbedding('2 + 2')).not.toEqual(tokenizeEmbedding('3 + 5'));
  });

  it('gives inflections of a word common ids', () => {
    const plain = new Set(tokenizeEmbedding('payment'));
    expect(tokenizeEmbedding('payments').filter((id) => plain.has(id)).length).toBeGreaterThan(8);
  });

  it.each([
    ['an empty text', ''],
    ['white space', ' \t\n\u00a0'],
    ['NUL and other control characters', '\0\u0001\u200b'],
  ])('gives one id that is no padding for %s', (_, text) => {
    const ids = tokenizeEmbedding(text);
    expect(ids).toHaveLength(1);
    expect(ids[0]).toBeGreaterThan(0);
  });

  it.each([
    ['emoji', '😀👩‍👩‍👧 fine'],
    ['a lone surrogate', 'a\ud83d b'],
    ['text cut within a surrogate pair', `${'x '.repeat(2_047)}y😀`],
    ['text without spaces', '漢字仮名交じり文'],
    ['NUL within words', 'go\0od'],
    ['100 kB of one word', 'a'.repeat(100_000)],
    ['100 kB of words', 'help me '.repeat(12_500)],
    ['100 kB of punctuation', '!?'.repeat(50_000)],
  ])('stays within its bounds for %s', (_, text) => {
    const ids = tokenizeEmbedding(text);
    expect(ids.length).toBeGreaterThan(0);
    expect(ids.length).toBeLessThanOrEqual(maxEmbeddingTokens);
    expect(ids.every((id) => id > 0 && id < embeddingBuckets)).toBe(true);
  });
});

describe('textSimilarity', () => {
  it('is the cosine of unit vectors', () => {
    expect(textSimilarity([0.6, 0.8], [0.6, 0.8])).toBeCloseTo(1);
    expect(textSimilarity([0.6, 0.8], [-0.8, 0.6])).toBeCloseTo(0);
    expect(textSimilarity([0.6, 0.8], [-0.6, -0.8])).toBeCloseTo(-1);
  });
});
