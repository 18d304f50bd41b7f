import type { BudgetCheck } from '../budgets.ts';
import type { BenchResult, Machine } from '../suite/results.ts';
import { budgetTable } from './budget-table.ts';
import { columnHeads, columns, figureCells } from './figures-table.ts';
import { type Html, html } from './html.ts';
import { count, formatNumber } from './numbers.ts';
import { type Fact, writePage } from './page.ts';
import { isMissed, ratioLines } from './ratios.ts';
import { describeLoad, type Entry, scenarioSection } from './scenario-section.ts';

/**
 * A page with all scenarios of a run, in its order, and the budgets that were checked beside their ratios; replaces the
 * file.
 */
export async function writeReport(
  result: BenchResult,
  file: string,
  checks: readonly BudgetCheck[] = [],
): Promise<void> {
  const entries = result.scenarios.map((scenario, index) => ({ anchor: `load-${index + 1}`, result: scenario }));
  const scenarios = [...Map.groupBy(entries, (entry) => entry.result.name)];
  const body = html`${verdictOf(entries, checks)}
${summary(scenarios)}
${budgetTable(checks)}
${scenarios.map(([name, loads]) => scenarioSection(name, loads))}`;
  await writePage({ title: 'Tributary, measured', facts: factsOf(result), body }, file);
}

function factsOf({ commit, startedAt, machine }: BenchResult): Fact[] {
  return [
    ['commit', commit ?? 'not known'],
    ['started', `${startedAt.slice(0, 16).replace('T', ' ')} UTC`],
    ['machine', describeMachine(machine)],
    ['node', machine.node],
    ['system', machine.os],
    ['cores', machine.isPinned ? 'one for the server, another for load and database' : 'shared by server and load'],
  ];
}

function describeMachine({ cpu, cores, memoryGib }: Machine): string {
  return `${cpu}, ${count(cores, 'core')}, ${formatNumber(memoryGib)} GiB`;
}

function verdictOf(entries: readonly Entry[], checks: readonly BudgetCheck[]): Html {
  const ratios = entries.flatMap(({ result }) => result.ratios);
  const total = ratios.filter(({ budget }) => budget !== null).length + checks.length;
  const missed = ratios.filter(isMissed).length + checks.filter(({ isMet }) => !isMet).length;
  const measured = `${count(entries.length, 'measurement')}.`;
  if (total === 0) return html`<p class="verdict">${measured}</p>`;
  if (missed === 0) return html`<p class="verdict">${measured} All of ${count(total, 'budget')} met.</p>`;
  return html`<p class="verdict">${measured} <span class="over">${missed} of ${count(total, 'budget')} missed.</span></p>`;
}

function summary(scenarios: readonly (readonly [name: string, entries: readonly Entry[]])[]): Html {
  return html`<table class="wide">
<thead><tr><th></th>${columnHeads(columns)}<th scope="col" class="text">ratio to its limits</th></tr></thead>
<tbody>${scenarios.map(
    ([name, entries]) =>
      html`<tr><th scope="rowgroup" class="group" colspan="${columns.length + 2}">${name}</th></tr>${entries.map(summaryRow)}`,
  )}</tbody></table>`;
}

function summaryRow({ anchor, result: { load, ours, ratios } }: Entry): Html {
  const shed = ours.shed > 0 ? html` <span class="over">${ours.shed} shed</span>` : null;
  return html`<tr><th scope="row"><a href="#${anchor}">${describeLoad(load)}</a>${shed}</th>${figureCells(ours, columns)}
<td class="text">${ratioLines(ratios)}</td></tr>`;
}
