import { isWithin } from '../budgets.ts';
import type { Ratio } from '../suite/results.ts';
import { formatBound, verdict } from './budget-table.ts';
import { type Html, html } from './html.ts';
import { formatNumber, steps } from './numbers.ts';

/** From the least to the greatest of what the bars show. */
export type RatioRange = readonly [from: number, to: number];

/** Wide enough for all of them, and for 1, from which the bars start. */
export function rangeOfRatios(ratios: readonly Ratio[]): RatioRange {
  const shown = ratios.flatMap(({ value, rounds, budget }) => [value, ...rounds, budget?.bound ?? 1]);
  const positive = [1, ...shown].filter((value) => value > 0 && Number.isFinite(value));
  return [Math.min(...positive) / 1.15, Math.max(...positive) * 1.15];
}

/** Bars by factors from 1, where the limit itself stands: half and twice are as long. null for no ratios. */
export function ratioBars(ratios: readonly Ratio[], range: RatioRange): Html | null {
  if (ratios.length === 0) return null;
  return html`<figure><figcaption>ratio to limit: median, and each round</figcaption>
${ratios.map((ratio) => html`<div class="ratio"><p><span>${ratio.name}</span>${ratioValue(ratio)}</p>${bar(ratio, range)}</div>`)}
<div class="scale"><svg aria-hidden="true">${steps(...range).map(
    (at) => html`<text x="${percent(at, range)}" y="10">${formatNumber(at)}</text>`,
  )}</svg></div></figure>`;
}

/** The value, and its budget where it has one. */
export function ratioValue({ value, budget }: Ratio): Html {
  const bound = budget && html` <span class="muted">${formatBound(budget)}</span> ${verdict(isWithin(value, budget))}`;
  return html`<span><b>${formatNumber(value)}</b>${bound}</span>`;
}

export function isMissed({ value, budget }: Ratio): boolean {
  return budget !== null && !isWithin(value, budget);
}

function bar({ value, rounds, budget }: Ratio, range: RatioRange): Html {
  const [left, right] = [Math.min(1, value), Math.max(1, value)];
  const width = `${(place(right, range) - place(left, range)).toFixed(2)}%`;
  const at = (ratio: number) => percent(ratio, range);
  const line = (name: string, ratio: number) =>
    html`<line class="${name}" x1="${at(ratio)}" x2="${at(ratio)}" y1="0" y2="16"/>`;
  return html`<svg aria-hidden="true"><rect class="bar" x="${at(left)}" width="${width}" y="4" height="8"/>
<line class="spread" x1="${at(Math.min(value, ...rounds))}" x2="${at(Math.max(value, ...rounds))}" y1="8" y2="8"/>
${rounds.map((round) => html`<circle class="round" cx="${at(round)}" cy="8" r="2"/>`)}
${line('one', 1)}${budget && line('bound', budget.bound)}</svg>`;
}

function percent(ratio: number, range: RatioRange): string {
  return `${place(ratio, range).toFixed(2)}%`;
}

function place(ratio: number, [from, to]: RatioRange): number {
  return (100 * Math.log(Math.max(ratio, from) / from)) / Math.log(to / from);
}
