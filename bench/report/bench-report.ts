import type { BudgetCheck } from '../budgets.ts';
import type { BenchResult, Machine } from '../suite/results.ts';
import { budgetTable } from './budget-table.ts';
import { type Html, html } from './html.ts';
import { count, formatNumber } from './numbers.ts';
import { type Fact, writePage } from './page.ts';
import { isMissed, ratioValue } from './ratios.ts';
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
  await writePage({ title: 'Benchmark', facts: factsOf(result), body }, file);
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
<thead><tr><th></th><th>req/s</th><th>CPU, µs</th><th>p50, ms</th><th>p95, ms</th><th>p99, ms</th><th class="text">ratio to limit</th></tr></thead>
<tbody>${scenarios.map(
    ([name, entries]) => html`<tr><th class="group" colspan="7">${name}</th></tr>${entries.map(summaryRow)}`,
  )}</tbody></table>`;
}

function summaryRow({ anchor, result: { load, ours, ratios } }: Entry): Html {
  const { requestsPerSecond, cpuMicroseconds, latency, errors } = ours;
  const cell = (label: string, value: number | null) => html`<td data-label="${label}">${formatNumber(value)}</td>`;
  return html`<tr><th><a href="#${anchor}">${describeLoad(load)}</a>${
    errors > 0 ? html` <span class="over">${count(errors, 'error')}</span>` : null
  }</th>${cell('req/s', requestsPerSecond)}${cell('CPU, µs', cpuMicroseconds)}${cell('p50, ms', latency.p50Ms)}${cell('p95, ms', latency.p95Ms)}${cell('p99, ms', latency.p99Ms)}
<td class="text">${ratios.map((ratio) => html`<div><span class="muted">${ratio.name}</span> ${ratioValue(ratio)}</div>`)}</td></tr>`;
}
