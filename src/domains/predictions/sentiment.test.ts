import { describe, expect, it } from 'vitest';
import { maxSentimentTokens, readSentiment, sentimentBuckets, tokenizeSentiment } from './sentiment.ts';

describe('tokenizeSentiment', () => {
  it('gives the same ids for the same text, whatever was tokenized before', () => {
    const first = tokenizeSentiment('The update works, thank you!');
    for (let i = 0; i < 60_000; i++) tokenizeSentiment(`word${i}`);
    expect(tokenizeSentiment('The update works, thank you!')).toEqual(first);
  });

  it('keeps its ids from version to version: the shipped model depends on them', () => {
    expect([...tokenizeSentiment('not good')]).toMatchInlineSnapshot(`
      [
        21107,
        63899,
        20481,
        39793,
        7764,
        65199,
        65241,
      ]
    `);
  });

  it('ignores case and the kind of apostrophe', () => {
    expect(tokenizeSentiment('DON\u2019T Stop')).toEqual(tokenizeSentiment("don't stop"));
  });

  it('gives words behind a negation ids of their own, up to the end of the clause', () => {
    const plain = new Set(tokenizeSentiment('good'));
    const sharedWith = (text: string) => tokenizeSentiment(text).filter((id) => plain.has(id)).length;
    expect(sharedWith('is very good')).toBeGreaterThan(3);
    expect(sharedWith("isn't very good")).toBe(1);
    expect(sharedWith('no, very good')).toBeGreaterThan(3);
  });

  it('takes all numbers for the same word', () => {
    expect(tokenizeSentiment('order 48213')).toEqual(tokenizeSentiment('order 7'));
  });

  it.each([
    ['an empty text', ''],
    ['white space', ' \t\n\u00a0'],
    ['NUL and other control characters', '\0\u0001\u200b'],
  ])('gives one id of padding for %s', (_, text) => {
    expect([...tokenizeSentiment(text)]).toEqual([0]);
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
    const ids = tokenizeSentiment(text);
    expect(ids.length).toBeGreaterThan(0);
    expect(ids.length).toBeLessThanOrEqual(maxSentimentTokens);
    expect(ids.every((id) => id > 0 && id < sentimentBuckets)).toBe(true);
  });
});

describe('readSentiment', () => {
  it.each([
    [[0.8, 0.1, 0.1, 0.1], 'POSITIVE', 0.8],
    [[0.1, 0.6, 0.1, 0.3], 'NEGATIVE', 0.1],
    [[0.2, 0.1, 0.9, 0.7], 'NEUTRAL', 0.2],
  ] as const)('reads %j as %s', (probabilities, label, score) => {
    const reading = readSentiment(probabilities);
    expect(reading.label).toBe(label);
    expect(reading.score).toBeCloseTo(score);
  });

  it('is neutral when classes tie or nothing is probable', () => {
    expect(readSentiment([0.4, 0.4, 0, 0.1]).label).toBe('NEUTRAL');
    expect(readSentiment([0, 0, 0, 0])).toEqual({ label: 'NEUTRAL', score: 0 });
  });
});
