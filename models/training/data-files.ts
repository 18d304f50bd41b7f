/** Reads the public data sets. Every error is one line that names the missing file or column and what is expected. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseQuotedCsv } from './quoted-csv.ts';

/** A mistake of the user, reported without a stack. */
export class DataError extends Error {
  override name = 'DataError';
}

/** One labelled text; labels are 0 or 1 for each class. */
export interface LabelledText {
  text: string;
  labels: Float32Array;
}

/** A question with what it wants. */
export interface Question {
  text: string;
  intent: string;
}

/** A regular series: values[i] holds for the step that starts at startUtcMs + i * stepMinutes. */
export interface LoadSeries {
  startUtcMs: number;
  stepMinutes: number;
  timeZone: string;
  values: Float64Array;
  /** Local dates, ISO 8601. */
  holidays: Set<string>;
}

const minuteMs = 60_000;

/** GoEmotions texts of one split, labels grouped to the given classes ("neutral" stands for itself). */
export function readGoEmotions(
  dataDirectory: string,
  split: 'train' | 'dev' | 'test',
  classes: readonly string[],
): LabelledText[] {
  const directory = join(dataDirectory, 'goemotions');
  const classOfEmotion = readEmotionClasses(directory, classes);
  const file = join(directory, `${split}.tsv`);
  return readLines(file, 'a GoEmotions split: text, comma-separated emotion ids, comment id; tab-separated').map(
    (line, index) => {
      const [text, emotions] = line.split('\t');
      if (text === undefined || emotions === undefined) {
        throw new DataError(`${file}:${index + 1}: expected a text and emotion ids separated by a tab`);
      }
      const labels = new Float32Array(classes.length);
      for (const emotion of emotions.split(',')) {
        const label = classOfEmotion[Number(emotion)];
        if (label === undefined) throw new DataError(`${file}:${index + 1}: expected emotion ids, got "${emotions}"`);
        labels[label] = 1;
      }
      return { text, labels };
    },
  );
}

/** Movie-review snippets with their polarity; both files must be there. */
export function readPolarity(dataDirectory: string): { text: string; isPositive: boolean }[] {
  const read = (name: string, isPositive: boolean) =>
    readLines(join(dataDirectory, 'rt-polarity', name), 'one review snippet a line').map((text) => ({
      text,
      isPositive,
    }));
  return [...read('rt-polarity.pos', true), ...read('rt-polarity.neg', false)];
}

/** Questions of bank customers with their intents, of one split. */
export function readBanking77(dataDirectory: string, split: 'train' | 'test'): Question[] {
  const file = join(dataDirectory, 'banking77', `${split}.csv`);
  const [header, ...rows] = parseCells(readText(file, 'a CSV file with the columns text, category'), file);
  if (header?.[0] !== 'text' || header[1] !== 'category') {
    throw new DataError(`${file}: expected the columns text, category`);
  }
  if (rows.length === 0) throw new DataError(`${file}: expected rows below the header`);
  return rows.map(([text, intent], index) => {
    if (text === undefined || !intent) throw new DataError(`${file}: row ${index + 1}: expected a text and a category`);
    return { text, intent };
  });
}

/** Half-hourly demand of Victoria in MWh per half hour; holidays are those that the file flags. */
export function readVictoria(dataDirectory: string): LoadSeries {
  const file = join(dataDirectory, 'vic-elec', 'vic_elec.csv');
  const { rows, columns } = readCsv(file, ['time', 'demand', 'holiday']);
  const [time, demand, holiday] = columns as [number, number, number];
  const startUtcMs = Date.parse(rows[0]?.[time] ?? '');
  const holidays = new Set<string>();
  const values = Float64Array.from(rows, (row, index) => {
    if (Date.parse(row[time]!) !== startUtcMs + index * 30 * minuteMs) {
      throw new DataError(`${file}:${index + 2}: expected half-hourly times without gaps, got "${row[time]}"`);
    }
    if (row[holiday] === '1') holidays.add(row[time]!.slice(0, 10));
    return toNumber(row[demand]!, file, index);
  });
  return { startUtcMs, stepMinutes: 30, timeZone: 'Australia/Melbourne', values, holidays };
}

/** The columns of ETTh1 by name, in the file's order: six loads, then oil temperature (OT). Hourly. */
export function readEtth1(dataDirectory: string): { names: string[]; columns: Float64Array[]; startUtcMs: number } {
  const names = ['HUFL', 'HULL', 'MUFL', 'MULL', 'LUFL', 'LULL', 'OT'];
  const file = join(dataDirectory, 'etth1', 'ETTh1.csv');
  const { rows, columns } = readCsv(file, ['date', ...names]);
  const startUtcMs = Date.parse(`${rows[0]?.[columns[0]!]?.replace(' ', 'T')}Z`);
  const values = columns.slice(1).map((column) => Float64Array.from(rows, (row, i) => toNumber(row[column]!, file, i)));
  return { names, columns: values, startUtcMs };
}

/** The series at a coarser step: sums of `factor` neighbouring values. */
export function aggregateSeries(series: LoadSeries, factor: number): LoadSeries {
  const values = new Float64Array(Math.floor(series.values.length / factor));
  for (let i = 0; i < values.length * factor; i++) values[Math.floor(i / factor)]! += series.values[i]!;
  return { ...series, stepMinutes: series.stepMinutes * factor, values };
}

function readEmotionClasses(directory: string, classes: readonly string[]): (number | undefined)[] {
  const emotions = readLines(join(directory, 'emotions.txt'), 'one emotion a line, in the order of their ids');
  const groupsFile = join(directory, 'sentiment_dict.json');
  const groups = parseGroups(readText(groupsFile, 'emotions by sentiment as JSON'), groupsFile);
  return emotions.map((emotion) => {
    const group = Object.keys(groups).find((name) => groups[name]!.includes(emotion)) ?? emotion;
    const index = classes.indexOf(group);
    return index < 0 ? undefined : index;
  });
}

function parseGroups(text: string, file: string): Record<string, string[]> {
  try {
    return JSON.parse(text) as Record<string, string[]>;
  } catch {
    throw new DataError(`${file}: expected JSON such as {"positive": ["joy"], "negative": ["anger"]}`);
  }
}

function parseCells(text: string, file: string): string[][] {
  try {
    return parseQuotedCsv(text);
  } catch (error) {
    throw new DataError(`${file}: ${(error as Error).message}`);
  }
}

function readCsv(file: string, names: readonly string[]): { rows: string[][]; columns: number[] } {
  const lines = readLines(file, `a CSV file with the columns ${names.join(', ')}`);
  const header = lines[0]!.split(',');
  const columns = names.map((name) => header.indexOf(name));
  const missing = names.filter((_, i) => columns[i] === -1);
  if (missing.length > 0) {
    throw new DataError(`${file}: expected the columns ${names.join(', ')}; missing: ${missing.join(', ')}`);
  }
  const rows = lines.slice(1).map((line) => line.split(','));
  const short = rows.findIndex((row) => row.length < header.length);
  if (short >= 0) throw new DataError(`${file}:${short + 2}: expected ${header.length} columns`);
  if (rows.length === 0) throw new DataError(`${file}: expected rows below the header`);
  return { rows, columns };
}

function toNumber(cell: string, file: string, index: number): number {
  const value = Number(cell);
  if (cell === '' || !Number.isFinite(value))
    throw new DataError(`${file}:${index + 2}: expected a number, got "${cell}"`);
  return value;
}

function readLines(file: string, expected: string): string[] {
  // Split on \n alone: some texts hold other line separators.
  const lines = readText(file, expected).replaceAll('\r\n', '\n').split('\n');
  while (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new DataError(`${file}: the file is empty; expected ${expected}`);
  return lines;
}

function readText(file: string, expected: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new DataError(`cannot read ${file}: expected ${expected}`);
  }
}
