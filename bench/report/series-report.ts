import type { BudgetCheck } from '../budgets.ts';
import { budgetTable } from './budget-table.ts';
import { type Chart, chartFigure, type XAxis } from './chart.ts';
import { html } from './html.ts';
import { type Fact, writePage } from './page.ts';

export interface SeriesReport {
  title: string;
  facts: readonly Fact[];
  /** Shown as a table on top; none by default. */
  checks?: readonly BudgetCheck[];
  series: readonly Series[];
}

export interface Series {
  /** Such as `RSS`. */
  name: string;
  /** Of y, such as `MiB`. */
  unit: string;
  /** By rising x, which is milliseconds unless `x` says otherwise. */
  points: readonly (readonly [x: number, y: number])[];
  /** Series of one chart are drawn over each other, and agree in unit and x. By default each has a chart by its own name. */
  chart?: string;
  x?: XAxis;
  /** Drawn in grey, as what the others are compared with: a fit, a limit, the load itself. */
  isReference?: boolean;
  /** Steps of 1, 10, 100 in y. */
  isLogarithmic?: boolean;
  /** Of y; drawn as a line. */
  bound?: number;
}

/** A page of figures over time, or over what else grows; replaces the file. Series of fewer than two points are left out. */
export async function writeSeriesReport(report: SeriesReport, file: string): Promise<void> {
  const charts = [...Map.groupBy(report.series, ({ chart, name }) => chart ?? name)];
  const figures = charts.map(([caption, series]) => chartFigure(chartOf(caption, series)));
  const body = html`${budgetTable(report.checks ?? [])}<div class="series">${figures}</div>`;
  await writePage({ title: report.title, facts: report.facts, body }, file);
}

function chartOf(caption: string, series: readonly Series[]): Chart {
  const { unit, x } = series[0]!;
  const references = series.filter(({ isReference }) => isReference === true);
  const ours = series.filter(({ isReference }) => isReference !== true);
  const over = x?.kind === 'number' ? `, by ${x.label}` : '';
  return {
    caption: `${caption}, ${unit}${over}`,
    unit,
    x: x ?? { kind: 'time' },
    hasLogarithmicY: series.some(({ isLogarithmic }) => isLogarithmic === true),
    lines: [...references, ...ours].map(({ name, points, isReference }) => ({
      name: series.length === 1 && name === caption ? '' : name,
      isOurs: isReference !== true,
      points: [...points],
    })),
    bound: series.find(({ bound }) => bound !== undefined)?.bound ?? null,
  };
}
