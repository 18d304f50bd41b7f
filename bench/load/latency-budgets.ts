import { type Latencies, type RequestClass, requestClasses, type Tick } from './run-report.ts';

type Percentile = 'p50Ms' | 'p95Ms' | 'p99Ms';

/** Of the targets, table "Speed and size". */
export const latencyBudgets: Readonly<Record<RequestClass, Partial<Record<Percentile, number>>>> = {
  critical: { p50Ms: 10, p95Ms: 100 },
  standard: { p50Ms: 100, p95Ms: 200, p99Ms: 800 },
  bulk: { p95Ms: 1_000 },
};

/** Each percentile that has a budget, with it. */
export function budgetsOf(kind: RequestClass): [name: Percentile, limitMs: number][] {
  return Object.entries(latencyBudgets[kind]) as [Percentile, number][];
}

/** Classes whose p95 is over its budget, with it. */
export function classesOverBudget(classes: Readonly<Record<RequestClass, Latencies>>): RequestClass[] {
  return requestClasses.filter((kind) => classes[kind].p95Ms > latencyBudgets[kind].p95Ms!);
}

/** Whether a second was as it should be: each class in its budget where enough came to say, and nothing but right answers. */
export function isNormal({ outcomes, p95Ms }: Tick): boolean {
  const isQuick = requestClasses.every((kind) => (p95Ms[kind] ?? 0) <= latencyBudgets[kind].p95Ms!);
  return isQuick && Object.keys(outcomes).every((outcome) => outcome === 'ok');
}

/**
 * From a moment to the first second from which on all are normal; 0: they were from the first on, null: never.
 * @param sinceMs - the moment, at the beginning of a tick
 */
export function secondsUntilNormal(ticks: readonly Tick[], sinceMs: number): number | null {
  const later = ticks.filter(({ atMs }) => atMs > sinceMs);
  const lastBad = later.findLastIndex((tick) => !isNormal(tick));
  if (lastBad === later.length - 1 && later.length > 0) return null;
  return lastBad < 0 ? 0 : (later[lastBad]!.atMs - sinceMs) / 1_000;
}
