import { findBudget } from '../budgets.ts';
import { type Latencies, type RequestClass, requestClasses, type Tick } from './run-report.ts';

const names = { critical: 'critical-reads', standard: 'standard-reads', bulk: 'bulk-operations' } as const;

/** Of p95, in milliseconds. */
export const p95Budgets = Object.fromEntries(
  requestClasses.map((kind) => [kind, findBudget(`${names[kind]}-p95`).bound]),
) as Readonly<Record<RequestClass, number>>;

/** Each percentile that has a budget, under the budget's id; of classes that requests were of. */
export function latencyFigures(classes: Readonly<Record<RequestClass, Latencies>>): { id: string; value: number }[] {
  const { critical, standard, bulk } = classes;
  const figures = [
    { id: 'critical-reads-p50', value: critical.p50Ms, count: critical.count },
    { id: 'critical-reads-p95', value: critical.p95Ms, count: critical.count },
    { id: 'standard-reads-p50', value: standard.p50Ms, count: standard.count },
    { id: 'standard-reads-p95', value: standard.p95Ms, count: standard.count },
    { id: 'standard-reads-p99', value: standard.p99Ms, count: standard.count },
    { id: 'bulk-operations-p95', value: bulk.p95Ms, count: bulk.count },
  ];
  return figures.filter(({ count }) => count > 0).map(({ id, value }) => ({ id, value }));
}

/** Classes whose p95 is over its budget. */
export function classesOverBudget(classes: Readonly<Record<RequestClass, Latencies>>): RequestClass[] {
  return requestClasses.filter((kind) => classes[kind].p95Ms > p95Budgets[kind]);
}

/** Whether a second was as it should be: each class in its budget where enough came to say, and nothing but right answers. */
export function isNormal({ outcomes, p95Ms }: Tick): boolean {
  const isQuick = requestClasses.every((kind) => (p95Ms[kind] ?? 0) <= p95Budgets[kind]);
  return isQuick && Object.keys(outcomes).every((outcome) => outcome === 'ok');
}

/**
 * From a moment to the first second from which on all are normal; 0: they were from the first on, null: never.
 * @param sinceMs - the moment, at the beginning of a tick
 */
export function secondsUntilNormal(ticks: readonly Tick[], sinceMs: number): number | null {
  const later = ticks.filter(({ atMs }) => atMs > sinceMs);
  const lastBad = later.findLastIndex((tick) => !isNormal(tick));
  if (lastBad === later.length - 1) return null;
  return lastBad < 0 ? 0 : (later[lastBad]!.atMs - sinceMs) / 1_000;
}
