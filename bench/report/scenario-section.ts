import type { Figures, Load, ProcessSample, ScenarioResult } from '../suite/results.ts';
import { type Chart, chartFigure, toNines } from './chart.ts';
import { allColumns, columnHeads, figureCells } from './figures-table.ts';
import { type Html, html } from './html.ts';
import { count, formatNumber } from './numbers.ts';
import { rangeOfRatios, ratioBars } from './ratios.ts';

/** One scenario under a load, with its place in the page. */
export interface Entry {
  anchor: string;
  result: ScenarioResult;
}

/** All loads of a scenario, one below the other, their ratios on one scale. */
export function scenarioSection(name: string, entries: readonly Entry[]): Html {
  const range = rangeOfRatios(entries.flatMap(({ result }) => result.ratios));
  return html`<section><h2>${name}</h2>
${entries.map(
  ({ anchor, result }) => html`<h3 id="${anchor}">${describeLoad(result.load)}</h3>
<div class="load">${chartFigure(latencyChart(result))}${ratioBars(result.ratios, range)}${processCharts(result.series)}</div>
${figuresTable(result)}`,
)}</section>`;
}

/** `32 connections, 10 s`; without the seconds where there was a request or so and no load. */
export function describeLoad({ connections, rate, seconds }: Load): string {
  const pace = rate === null ? '' : `${rate.toLocaleString('en')} req/s over `;
  const time = seconds === 0 ? '' : `, ${formatNumber(seconds)} s`;
  return `${pace}${count(connections, 'connection')}${time}`;
}

function latencyChart({ ours, limits }: ScenarioResult): Chart {
  const lineOf = (name: string, { latency }: Figures, isOurs: boolean) => ({
    name,
    isOurs,
    points: toNines(latency.distributionMs),
  });
  return {
    caption: 'latency by share of requests, ms',
    unit: 'ms',
    x: { kind: 'nines' },
    hasLogarithmicY: true,
    lines: [...limits.map(({ name, figures }) => lineOf(name, figures, false)), lineOf('ours', ours, true)],
    bound: null,
  };
}

function processCharts(series: readonly ProcessSample[]): Html {
  const line = (name: string, read: (sample: ProcessSample) => number) => ({
    name,
    isOurs: true,
    points: series.map((sample) => [sample.atMs, read(sample)] as const),
  });
  const overTime = { x: { kind: 'time' as const }, hasLogarithmicY: false, bound: null };
  const memory = [line('RSS', ({ rssMib }) => rssMib), line('heap', ({ heapMib }) => heapMib)];
  const delay = [line('', ({ eventLoopDelayP99Ms }) => eventLoopDelayP99Ms)];
  return html`<div class="stack">${[
    chartFigure({ ...overTime, caption: 'memory of the server, MiB', unit: 'MiB', lines: memory }),
    chartFigure({ ...overTime, caption: 'event-loop delay p99, ms', unit: 'ms', lines: delay }),
  ]}</div>`;
}

function figuresTable({ ours, limits }: ScenarioResult): Html {
  return html`<table class="wide">
<thead><tr><th></th>${columnHeads(allColumns)}</tr></thead>
<tbody><tr class="ours"><th scope="row">ours</th>${figureCells(ours, allColumns)}</tr>
${limits.map(
  ({ name, figures }) => html`<tr><th scope="row">${name}</th>${figureCells(figures, allColumns)}</tr>`,
)}</tbody></table>`;
}
