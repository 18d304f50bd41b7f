import { type Html, html, jsonScript } from './html.ts';

/** Lines over one axis, drawn by the page's script. */
export interface Chart {
  /** With the unit of y, such as `memory, MiB`. */
  caption: string;
  /** Of y. */
  unit: string;
  x: XAxis;
  hasLogarithmicY: boolean;
  lines: Line[];
  /** Drawn as a line of its own, which the chart always shows; null: none. */
  bound: number | null;
}

/**
 * `time`: milliseconds. `nines`: -log10(1 - share), so that the tail of a distribution has as much room as its bulk.
 * `number`: as it is.
 */
export type XAxis = { kind: 'time' } | { kind: 'nines' } | { kind: 'number'; label: string; isLogarithmic: boolean };

export interface Line {
  /** Empty: the caption says it. */
  name: string;
  /** The colour of what is measured; otherwise a grey, of what it is compared with. */
  isOurs: boolean;
  /** By rising x. */
  points: (readonly [x: number, y: number])[];
}

/** Where the slowest request of all stands: beyond 99.9 %, which is 3. */
export const slowestAtNines = 3.7;

/** null: no line of it has two points. */
export function chartFigure(chart: Chart): Html | null {
  const lines = chart.lines
    .filter(({ points }) => points.length > 1)
    .map((line) => ({ ...line, points: line.points.map(([x, y]) => [round(x), round(y)]) }));
  if (lines.length === 0) return null;
  return html`<figure class="chart"><figcaption>${chart.caption}</figcaption><div class="plot"></div>${jsonScript({ ...chart, lines })}</figure>`;
}

/** Milliseconds at shares of the requests, as a line over nines. */
export function toNines(distributionMs: readonly (readonly [share: number, ms: number])[]): [x: number, y: number][] {
  return distributionMs.map(([share, ms]) => [Math.min(slowestAtNines, -Math.log10(1 - share)), ms]);
}

/** An hour of samples is some 10,000 numbers a line: more digits than can be seen would make up most of the file. */
function round(value: number): number {
  return Number(value.toPrecision(7));
}
