/** What each measured figure should be, and tables that show both. */
import { formatTable } from './terminal.ts';

interface Target {
  metric: string;
  says: string;
  isMet(value: number): boolean;
}

const atLeast = (metric: string, bound: number): Target => ({
  metric,
  says: `>= ${bound}`,
  isMet: (value) => value >= bound,
});
const atMost = (metric: string, bound: number): Target => ({
  metric,
  says: `<= ${bound}`,
  isMet: (value) => value <= bound,
});
const within = (metric: string, low: number, high: number): Target => ({
  metric,
  says: `${low} to ${high}`,
  isMet: (value) => value >= low && value <= high,
});

export const sentimentTargets = [
  atLeast('macroF1', 0.64),
  atMost('fileMegabytes', 4.5),
  atMost('batchInvariance', 1e-6),
];
export const energyForecastTargets = [
  atMost('mapePercent', 3),
  within('coverage80', 0.78, 0.82),
  atMost('fileMegabytes', 2),
  atMost('batchInvariance', 1e-5),
];
export const embeddingTargets = [
  atLeast('nearestSameIntent', 0.9),
  atLeast('precision', 0.94),
  atLeast('foundShortened', 0.95),
  atMost('fileMegabytes', 4.4),
  atMost('batchInvariance', 1e-6),
];
/** Mean squared and absolute error of the published table are matched within this. */
export const etth1Tolerance = 0.01;

/** A table of metric, target and measured value; metrics without a target are only shown. */
export function formatMetrics(metrics: Readonly<Record<string, number>>, targets: readonly Target[]): string {
  const rows = Object.entries(metrics).map(([metric, value]) => {
    const target = targets.find((own) => own.metric === metric);
    const verdict = target === undefined ? '' : target.isMet(value) ? 'met' : 'missed';
    return [metric, target?.says ?? '', formatNumber(value), verdict];
  });
  return formatTable(['metric', 'target', 'measured', ''], rows);
}

/** Short, but small differences stay visible. */
export function formatNumber(value: number): string {
  if (value === 0 || Math.abs(value) >= 1e-3) return String(Number(value.toFixed(4)));
  return value.toExponential(1);
}
