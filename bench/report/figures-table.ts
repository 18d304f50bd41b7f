import type { Figures } from '../suite/results.ts';
import { type Html, html } from './html.ts';
import { formatFigure } from './numbers.ts';

type Column = readonly [label: string, read: (figures: Figures) => number | null];

/** What is seen of a measurement at a glance. */
export const columns: readonly Column[] = [
  ['req/s', ({ requestsPerSecond }) => requestsPerSecond],
  ['CPU, µs', ({ cpuMicroseconds }) => cpuMicroseconds],
  ['p50, ms', ({ latency }) => latency.p50Ms],
  ['p95, ms', ({ latency }) => latency.p95Ms],
  ['p99, ms', ({ latency }) => latency.p99Ms],
];

export const allColumns: readonly Column[] = [
  ...columns,
  ['max, ms', ({ latency }) => latency.maxMs],
  ['shed', ({ shed }) => shed],
];

export function columnHeads(of: readonly Column[]): Html[] {
  return of.map(([label]) => html`<th scope="col">${label}</th>`);
}

/** Cells that name themselves where the page is too narrow for heads. */
export function figureCells(figures: Figures, of: readonly Column[]): Html[] {
  return of.map(([label, read]) => html`<td data-label="${label}">${formatFigure(read(figures))}</td>`);
}
