import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aggregateSeries, DataError, readBanking77, readEtth1, readGoEmotions, readVictoria } from './data-files.ts';

describe('data files', () => {
  let directory = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tributary-data-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  function write(path: string, lines: readonly string[]): void {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), `${lines.join('\n')}\n`);
  }

  it('reads demand with its holidays, and sums steps', () => {
    write('vic-elec/vic_elec.csv', [
      'time,demand,temperature,holiday',
      '2012-01-01T00:00:00+11:00,4000.5,20,1',
      '2012-01-01T00:30:00+11:00,4100,20,1',
      '2012-01-01T01:00:00+11:00,4200,20,0',
    ]);
    const series = readVictoria(directory);
    expect(series.startUtcMs).toBe(Date.parse('2011-12-31T13:00:00Z'));
    expect([...series.values]).toEqual([4000.5, 4100, 4200]);
    expect(series.holidays).toEqual(new Set(['2012-01-01']));
    expect(aggregateSeries(series, 2)).toMatchObject({ stepMinutes: 60, values: Float64Array.of(8100.5) });
  });

  it('groups emotions to classes', () => {
    write('goemotions/emotions.txt', ['joy', 'anger', 'neutral']);
    write('goemotions/sentiment_dict.json', ['{"positive": ["joy"], "negative": ["anger"]}']);
    write('goemotions/dev.tsv', ['so good\t0,2\tid1', 'so bad\t1\tid2']);
    expect(readGoEmotions(directory, 'dev', ['positive', 'negative', 'neutral'])).toEqual([
      { text: 'so good', labels: Float32Array.of(1, 0, 1) },
      { text: 'so bad', labels: Float32Array.of(0, 1, 0) },
    ]);
  });

  it('reads questions with their intents', () => {
    write('banking77/test.csv', ['text,category', '"Hi, where is', 'my card?",card_arrival', 'Bye,end']);
    expect(readBanking77(directory, 'test')).toEqual([
      { text: 'Hi, where is\nmy card?', intent: 'card_arrival' },
      { text: 'Bye', intent: 'end' },
    ]);
    write('banking77/test.csv', ['text,label', 'Bye,end']);
    expect(() => readBanking77(directory, 'test')).toThrow('expected the columns text, category');
    write('banking77/test.csv', ['text,category', '"Bye,end']);
    expect(() => readBanking77(directory, 'test')).toThrow('test.csv: line 2: expected a quoted or plain field');
    write('banking77/test.csv', ['text,category', 'Bye']);
    expect(() => readBanking77(directory, 'test')).toThrow('row 1: expected a text and a category');
  });

  it('names a missing file and what it should hold, in one line', () => {
    expect(() => readVictoria(directory)).toThrow(DataError);
    expect(() => readVictoria(directory)).toThrow(/vic_elec\.csv: expected a CSV file with the columns time, demand/);
  });

  it('names missing columns, gaps and cells that are no numbers', () => {
    write('etth1/ETTh1.csv', ['date,HUFL,OT', '2016-07-01 00:00:00,1,2']);
    expect(() => readEtth1(directory)).toThrow('missing: HULL, MUFL, MULL, LUFL, LULL');
    write('vic-elec/vic_elec.csv', ['time,demand,holiday', '2012-01-01T00:00:00Z,1,0', '2012-01-01T01:00:00Z,1,0']);
    expect(() => readVictoria(directory)).toThrow(':3: expected half-hourly times without gaps');
    write('vic-elec/vic_elec.csv', ['time,demand,holiday', '2012-01-01T00:00:00Z,x,0']);
    expect(() => readVictoria(directory)).toThrow(':2: expected a number, got "x"');
  });
});
