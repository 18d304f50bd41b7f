import type { BudgetCheck } from '../budgets.ts';
import { type Html, html } from './html.ts';
import { formatFigure, formatNumber } from './numbers.ts';

/** A row for each; nothing for none. */
export function budgetTable(checks: readonly BudgetCheck[]): Html | null {
  if (checks.length === 0) return null;
  return html`<table>
<thead><tr><th>budget</th><th>measured</th><th>bound</th><th></th></tr></thead>
<tbody>${checks.map(
    ({ budget: { what, unit, ...budget }, value, isMet }) =>
      html`<tr><th>${what}</th><td>${formatFigure(value)} ${unit}</td><td>${formatBound(budget)}</td><td>${verdict(isMet)}</td></tr>`,
  )}</tbody></table>`;
}

/** `≤ 1.65`, `≥ 92`. */
export function formatBound({ bound, isUpper }: { bound: number; isUpper: boolean }): string {
  return `${isUpper ? '≤' : '≥'}\u00a0${formatNumber(bound)}`;
}

/** In words, so that it is not said by a colour alone. */
export function verdict(isMet: boolean): Html {
  return isMet ? html`<span class="muted">met</span>` : html`<span class="over">missed</span>`;
}
