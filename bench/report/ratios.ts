import { isWithin } from '../budgets.ts';
import type { Ratio } from '../suite/results.ts';
import { formatBound, verdict } from './budget-table.ts';
import { type Html, html } from './html.ts';
import { formatFigure, formatNumber, steps } from './numbers.ts';

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
  return html`<figure><figcaption>ratio to limit: median and rounds</figcaption>
${ratios.map((ratio) => html`<div class="ratio"><p><span>${ratio.name}</span>${ratioValue(ratio)}</p>${bar(ratio, range)}</div>`)}
<div class="scale"><svg aria-hidden="true">${steps(...range).map(
    (at) => html`<text x="${percent(at, range)}" y="10">${formatNumber(at)}</text>`,
  )}</svg></div></figure>`;
}

/** A line for each limit, with all ratios to it. */
export function ratioLines(ratios: readonly Ratio[]): Html[] {
  const byLimit = Map.groupBy(ratios.map(splitName), ({ limit }) => limit);
  return [...byLimit].map(
    ([limit, parts]) =>
      html`<div class="ratios"><span>${limit}</span>${parts.map(
        ({ what, ratio }) => html`<span><span class="muted">${what}</span> ${ratioValue(ratio)}</span>`,
      )}</div>`,
  );
}

/** `CPU against flat statements` by its parts. */
function splitName(ratio: Ratio): { what: string; limit: string; ratio: Ratio } {
  const [what, limit] = ratio.name.split(' against ');
  return { what: what!, limit: limit ?? '', ratio };
}

/** The value, and its budget where it has one. */
function ratioValue({ value, budget }: Ratio): Html {
  const bound = budget && html` <span class="muted">${formatBound(budget)}</span> ${verdict(isWithin(value, budget))}`;
  return html`<span><b>${formatFigure(value)}</b>${bound}</span>`;
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
  const [least, most] = [Math.min(value, ...rounds), Math.max(value, ...rounds)];
  const end = `${(place(Math.max(most, 1, budget?.bound ?? 1), range) + 2).toFixed(2)}%`;
  return html`<svg aria-hidden="true"><rect class="bar" x="${at(left)}" width="${width}" y="4" height="8"/>
<line class="spread" x1="${at(least)}" x2="${at(most)}" y1="8" y2="8"/>
${rounds.map((round) => html`<circle class="round" cx="${at(round)}" cy="8" r="1.5"/>`)}
${line('one', 1)}${budget && line('bound', budget.bound)}<text x="${end}" y="12">${formatFigure(least)} to ${formatFigure(most)}</text></svg>`;
}

function percent(ratio: number, range: RatioRange): string {
  return `${place(ratio, range).toFixed(2)}%`;
}

/** Percent from the left; on the right there is room for words. */
function place(ratio: number, [from, to]: RatioRange): number {
  return (78 * Math.log(Math.max(ratio, from) / from)) / Math.log(to / from);
}
