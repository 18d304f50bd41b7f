import type UPlot from 'uplot';
import type { Chart, Line, XAxis } from './chart.ts';
import type {
  formatFigure as FormatFigure,
  formatNumber as FormatNumber,
  roundSteps as RoundSteps,
  steps as Steps,
} from './numbers.ts';

/*
 * What runs in the page. The functions travel as their text, so they use nothing but each other and what the page has: no
 * imports, no constants of this module.
 */
declare const uPlot: typeof UPlot;
declare const formatFigure: typeof FormatFigure;
declare const formatNumber: typeof FormatNumber;
declare const roundSteps: typeof RoundSteps;
declare const steps: typeof Steps;

/** The first draws every chart of the page. */
export const pageFunctions: readonly ((...parameters: never[]) => unknown)[] = [
  drawCharts,
  drawChart,
  plotOptions,
  xAxis,
  apart,
  lineOf,
  rangeOf,
  formatX,
  createLabels,
  placeLabels,
  spreadOut,
  drawBound,
  readOut,
  colour,
  style,
];

function drawCharts(): void {
  const plots = [...document.querySelectorAll<HTMLElement>('figure.chart')].map(drawChart);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const plot of plots) plot.redraw(false, true);
  });
}

function drawChart(figure: HTMLElement): UPlot {
  const chart = JSON.parse(figure.querySelector('script')!.textContent!) as Chart;
  const place = figure.querySelector<HTMLElement>('.plot')!;
  const labels = createLabels(chart, place);
  const plot = new uPlot(plotOptions(chart, figure, labels), uPlot.join(chart.lines.map(lineOf)), place);
  plot.root.querySelector('.u-wrap')!.append(labels);
  new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = place;
    if (width > 0 && (width !== plot.width || height !== plot.height)) plot.setSize({ width, height });
  }).observe(place);
  return plot;
}

function plotOptions(chart: Chart, figure: HTMLElement, labels: HTMLElement): UPlot.Options {
  const place = labels.parentElement!;
  const { clientWidth: width, clientHeight: height } = place;
  const labelWidth = Math.min(Math.ceil(labels.getBoundingClientRect().width) + 2, width * 0.4);
  const grid = { stroke: () => colour('--rule'), width: 1 };
  const axis = { stroke: () => colour('--muted'), font: '11px system-ui, sans-serif', ticks: { show: false }, grid };
  return {
    width,
    height,
    padding: [8, labelWidth + 12, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 } },
    scales: {
      x: { time: false, distr: chart.x.kind === 'number' && chart.x.isLogarithmic ? 3 : 1 },
      y: { distr: chart.hasLogarithmicY ? 3 : 1, range: () => rangeOf(chart) },
    },
    axes: [
      { ...axis, ...xAxis(chart.x, chart.lines), size: 28, gap: 8, grid: { show: false } },
      {
        ...axis,
        size: 46,
        gap: 6,
        splits: (_, __, from, to) => (chart.hasLogarithmicY ? steps(from, to) : roundSteps(to)),
        filter: (_, splits) => splits,
        values: (_, splits) => splits.map(formatNumber),
      },
    ],
    series: [
      {},
      ...chart.lines.map((line) => {
        const { stroke, dash, width } = style(chart.lines, line);
        const points = {
          show: line.points.length <= 12,
          size: 5,
          fill: () => colour(stroke),
          stroke: () => colour(stroke),
        };
        return { stroke: () => colour(stroke), dash, width, points };
      }),
    ],
    hooks: {
      draw: [
        (plot) => {
          placeLabels(plot, chart, labels);
          if (chart.bound !== null) drawBound(plot, chart.bound);
        },
      ],
      setCursor: [(plot) => readOut(plot, chart, figure)],
    },
  };
}

/** Ticks with a meaning each: shares of requests, whole units of time, the values measured where they are few. */
function xAxis(x: XAxis, lines: readonly Line[]): UPlot.Axis {
  const values = (_: UPlot, splits: (number | null)[]) => splits.map((at) => (at === null ? '' : formatX(x, at)));
  if (x.kind === 'nines') return { splits: [-Math.log10(0.5), 1, 2, 3, 3.7], values };
  if (x.kind === 'time') {
    const units = [1e3, 6e4, 36e5].flatMap((unit) => [1, 2, 5, 10, 15, 20, 30].map((many) => many * unit));
    return { incrs: [100, 200, 500, ...units], values, space: 45 };
  }
  const measured = [...new Set(lines.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
  if (measured.length <= 6) return { splits: measured, values, filter: (_, s) => (x.isLogarithmic ? s : apart(s)) };
  return x.isLogarithmic ? { splits: (_, __, from, to) => steps(from, to), filter: (_, s) => s, values } : { values };
}

/** null for those whose text would lie over that of the one before. */
function apart(splits: number[]): (number | null)[] {
  const least = (splits.at(-1)! - splits[0]!) / 12;
  let last = Number.NEGATIVE_INFINITY;
  return splits.map((at) => {
    if (at - last < least) return null;
    last = at;
    return at;
  });
}

function lineOf({ points }: Line): UPlot.AlignedData {
  return [points.map(([x]) => x), points.map(([, y]) => y)];
}

/** Of y: from 0, or by factors around what is above 0. */
function rangeOf({ lines, bound, hasLogarithmicY }: Chart): [number, number] {
  const values = [...lines.flatMap(({ points }) => points.map(([, y]) => y)), ...(bound === null ? [] : [bound])];
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  if (!hasLogarithmicY) return [0, most > 0 ? most * 1.1 : 1];
  const least = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), Number.POSITIVE_INFINITY);
  return most > 0 ? [least / 1.25, most * 1.25] : [0.1, 1];
}

function formatX(x: XAxis, at: number): string {
  if (x.kind === 'nines') return at > 3.5 ? 'max' : `${Number(((1 - 10 ** -at) * 100).toFixed(1))} %`;
  if (x.kind === 'number') return formatNumber(at);
  if (at === 0) return '0';
  if (at % 36e5 === 0) return `${at / 36e5} h`;
  return at % 6e4 === 0 || at >= 18e4 ? `${formatNumber(at / 6e4)} min` : `${formatNumber(at / 1e3)} s`;
}

/** Names that stand beside the ends of their lines. */
function createLabels(chart: Chart, place: HTMLElement): HTMLElement {
  const labels = document.createElement('div');
  labels.className = 'labels';
  for (const line of chart.lines) {
    const label = document.createElement('span');
    label.textContent = line.name;
    label.style.color = line.isOurs ? 'var(--ours-0)' : 'var(--muted)';
    labels.append(label);
  }
  if (chart.bound !== null) {
    const label = document.createElement('span');
    label.textContent = `budget ${formatNumber(chart.bound)}`;
    label.style.color = 'var(--over)';
    labels.append(label);
  }
  place.append(labels);
  return labels;
}

/** Beside their ends, pushed apart where they would overlap; a thin line leads from each end to its label. */
function placeLabels(plot: UPlot, { lines, bound }: Chart, labels: HTMLElement): void {
  const { left, top, width, height } = plot.bbox;
  const ratio = devicePixelRatio;
  const values = [...lines.map(({ points }) => points.at(-1)![1]), ...(bound === null ? [] : [bound])];
  const colours = [...lines.map((line) => style(lines, line).stroke), '--over'];
  const ends = values.map((value) => plot.valToPos(value, 'y'));
  const places = spreadOut(ends, 14, height / ratio);
  const right = left + width;
  for (const [index, at] of places.entries()) {
    const label = labels.children[index] as HTMLElement;
    label.style.transform = `translate(${right / ratio + 12}px, ${top / ratio + at - 7}px)`;
    label.style.maxWidth = `${plot.width - right / ratio - 12}px`;
    if (label.textContent === '') continue;
    plot.ctx.strokeStyle = colour(colours[index]!);
    plot.ctx.lineWidth = ratio;
    plot.ctx.setLineDash([]);
    plot.ctx.beginPath();
    plot.ctx.moveTo(right + 2 * ratio, top + ends[index]! * ratio);
    plot.ctx.lineTo(right + 10 * ratio, top + at * ratio);
    plot.ctx.stroke();
  }
}

/** The wanted places, moved as far as it takes to lie this far apart: downwards first, and back up from the end. */
function spreadOut(wanted: readonly number[], apart: number, end: number): number[] {
  const places = [...wanted];
  const order = [...places.keys()].sort((a, b) => wanted[a]! - wanted[b]!);
  let least = 0;
  for (const index of order) {
    places[index] = Math.max(wanted[index]!, least);
    least = places[index] + apart;
  }
  let most = end;
  for (const index of order.toReversed()) {
    places[index] = Math.min(places[index]!, most);
    most = places[index] - apart;
  }
  return places;
}

function drawBound(plot: UPlot, bound: number): void {
  const { left, width } = plot.bbox;
  // Between two pixels it would be drawn as a blur over both.
  const y = Math.round(plot.valToPos(bound, 'y', true)) + devicePixelRatio / 2;
  plot.ctx.strokeStyle = colour('--over');
  plot.ctx.lineWidth = devicePixelRatio;
  plot.ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  plot.ctx.beginPath();
  plot.ctx.moveTo(left, y);
  plot.ctx.lineTo(left + width, y);
  plot.ctx.stroke();
  plot.ctx.setLineDash([]);
}

/** The values below the pointer stand in the place of the caption while it is there. */
function readOut(plot: UPlot, chart: Chart, figure: HTMLElement): void {
  const { idx } = plot.cursor;
  const caption = figure.querySelector('figcaption')!;
  if (idx === null || idx === undefined) {
    caption.textContent = chart.caption;
    return;
  }
  const texts = chart.lines.flatMap(({ name, isOurs }, index) => {
    const value = plot.data[index + 1]![idx];
    return typeof value === 'number' ? [{ isOurs, text: `${name} ${formatFigure(value)}`.trim() }] : [];
  });
  texts.sort((a, b) => Number(b.isOurs) - Number(a.isOurs));
  caption.textContent = `${formatX(chart.x, plot.data[0]![idx]!)}: ${texts.map(({ text }) => text).join(', ')} ${chart.unit}`;
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

/** Ours in the one colour of the page, fainter from line to line; what it is compared with in greys. */
function style(lines: readonly Line[], line: Line): { stroke: string; dash: number[]; width: number } {
  const place = lines.filter(({ isOurs }) => isOurs === line.isOurs).indexOf(line);
  if (line.isOurs) return { stroke: `--ours-${Math.min(place, 2)}`, dash: [], width: 2 };
  return { stroke: `--limit-${Math.min(place, 2)}`, dash: [[], [6, 3], [2, 3]][place % 3]!, width: 1.25 };
}
