import * as fc from 'fast-check';

/** One row before it has a table: small numbers, each picking from few values, so that ties are many. */
export interface RandomRow {
  id: string;
  parent: number;
  time: number;
  /** null where the column allows it. */
  otherTime: number | null;
  name: number;
  points: number;
  kind: number;
  user: number;
}

/** What a run asks of a list; a list uses what it has a filter or an order for. */
export interface Wish {
  order: number;
  isDescending: boolean;
  kind: number | null;
  kinds: number[] | null;
  user: number | null;
  text: number | null;
  range: { from: string; to: string } | null;
}

/** Around a month's end, where partitions meet, and as close as a microsecond. */
export const times = [
  '2026-01-31T23:59:59.999998Z',
  '2026-01-31T23:59:59.999999Z',
  '2026-02-01T00:00:00.000000Z',
  '2026-02-01T00:00:00.000001Z',
  '2026-02-01T00:00:00.001000Z',
  '2026-02-14T12:30:00.500000Z',
];
/** Those of rows whose id holds their time. */
export const millisecondTimes = [
  '2026-01-31T23:59:59.998Z',
  '2026-01-31T23:59:59.999Z',
  '2026-02-01T00:00:00.000Z',
  '2026-02-01T00:00:00.001Z',
  '2026-02-14T12:30:00.500Z',
];
/** Before every time above. */
export const earliestTime = '2026-01-01T00:00:00.000000Z';
export const latestTime = '2026-03-01T00:00:00.000000Z';
const rangeEnds = [earliestTime, ...times, '2026-02-01T00:00:00.000500Z', latestTime].toSorted();

export const names = [
  'zebra',
  'Zebra',
  'Éclair',
  'éclair',
  '100 % sure',
  '100 _ sure',
  '😀 party',
  'back\\slash',
  '日本語の名前',
  'ﬀ ligature',
  'a'.repeat(200),
];
/** Parts of names, some in another case. */
export const texts = ['ebr', 'ÉCL', '0 % s', '0 _ s', '😀 pa', 'k\\s', '日本語', 'not there'];

export const randomRows = fc.uniqueArray(
  fc.record<RandomRow>({
    id: fc.uuid(),
    parent: fc.nat(2),
    time: fc.nat(times.length - 1),
    otherTime: fc.option(fc.nat(2)),
    name: fc.nat(names.length - 1),
    points: fc.nat(2),
    kind: fc.nat(4),
    user: fc.nat(2),
  }),
  { selector: (row) => row.id, maxLength: 60, size: 'max' },
);

const ranges = fc
  .tuple(fc.nat(rangeEnds.length - 2), fc.nat(rangeEnds.length - 2))
  .map(([a, b]) => ({ from: rangeEnds[Math.min(a, b)]!, to: rangeEnds[Math.max(a, b) + 1]! }));

export const wishes = fc.record<Wish>({
  order: fc.nat(3),
  isDescending: fc.boolean(),
  kind: fc.option(fc.nat(4), { freq: 2 }),
  kinds: fc.option(fc.array(fc.nat(4), { minLength: 1, maxLength: 5 }), { freq: 2 }),
  user: fc.option(fc.nat(2), { freq: 2 }),
  text: fc.option(fc.nat(texts.length - 1), { freq: 2 }),
  range: fc.option(ranges, { freq: 2 }),
});

export function pick<Value>(values: readonly Value[], index: number): Value {
  return values[index % values.length]!;
}

/** The value at an index that may be null. */
export function pickOrNull<Value>(values: readonly Value[], index: number | null): Value | null {
  return index === null ? null : pick(values, index);
}
