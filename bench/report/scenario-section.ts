import type { Figures, Load, ProcessSample, ScenarioResult } from '../suite/results.ts';
import { type Chart, chartFigure, toNines } from './chart.ts';
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

/** `32 connections, 10 s`. */
export function describeLoad({ connections, rate, seconds }: Load): string {
  const pace = rate === null ? '' : `${rate.toLocaleString('en')} req/s over `;
  return `${pace}${count(connections, 'connection')}, ${formatNumber(seconds)} s`;
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
  const delay = [line('p99', ({ eventLoopDelayP99Ms }) => eventLoopDelayP99Ms)];
  return html`<div class="stack">${[
    chartFigure({ ...overTime, caption: 'memory of the server, MiB', unit: 'MiB', lines: memory }),
    chartFigure({ ...overTime, caption: 'event-loop delay, ms', unit: 'ms', lines: delay }),
  ]}</div>`;
}

function figuresTable({ ours, limits }: ScenarioResult): Html {
  const row = (name: string, { requestsPerSecond, cpuMicroseconds, latency, errors }: Figures) =>
    html`<th>${name}</th>${cell('req/s', requestsPerSecond)}${cell('CPU, µs', cpuMicroseconds)}${cell('p50, ms', latency.p50Ms)}${cell('p95, ms', latency.p95Ms)}${cell('p99, ms', latency.p99Ms)}${cell('max, ms', latency.maxMs)}${cell('errors', errors)}`;
  return html`<table class="wide">
<thead><tr><th></th><th>req/s</th><th>CPU, µs</th><th>p50, ms</th><th>p95, ms</th><th>p99, ms</th><th>max, ms</th><th>errors</th></tr></thead>
<tbody><tr class="ours">${row('ours', ours)}</tr>
${limits.map(({ name, figures }) => html`<tr>${row(name, figures)}</tr>`)}</tbody></table>`;
}

function cell(label: string, value: number | null): Html {
  return html`<td data-label="${label}">${formatNumber(value)}</td>`;
}
