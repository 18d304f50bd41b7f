import { describe, expect, it } from 'vitest';
import { parseQuotedCsv } from './quoted-csv.ts';

describe('parseQuotedCsv', () => {
  it('reads quoted fields with commas, quotes and line ends', () => {
    const text = 'text,category\r\n"a, ""b""\nc",x\n\nplain,\n"",y';
    expect(parseQuotedCsv(text)).toEqual([
      ['text', 'category'],
      ['a, "b"\nc', 'x'],
      ['plain', ''],
      ['', 'y'],
    ]);
  });

  it.each(['', '\n', '\n\n'])('gives no rows for %j', (text) => {
    expect(parseQuotedCsv(text)).toEqual([]);
  });

  it.each(['a,b\n"open,c', 'a,b\n"closed"d,c', 'a,b\nc"d",e'])('names the line of a broken field in %j', (text) => {
    expect(() => parseQuotedCsv(text)).toThrow('line 2: expected a quoted or plain field');
  });

  it('reads a last field that is empty', () => {
    expect(parseQuotedCsv('a,')).toEqual([['a', '']]);
    expect(parseQuotedCsv('a,b\nc,')).toEqual([
      ['a', 'b'],
      ['c', ''],
    ]);
  });
});
