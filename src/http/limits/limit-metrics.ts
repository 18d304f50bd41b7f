import { Counter, Histogram, type Registry } from 'prom-client';
import type { Limits } from '../../config.ts';

/** `refused`: the request got an error; `warned`: it passed, as the limit only warns. */
export type LimitMode = 'refused' | 'warned';

/** `fieldPairs` has no setting: it keeps validation short. */
export type LimitName = keyof Limits | 'fieldPairs';

export interface LimitMetrics {
  count(limit: LimitName, mode: LimitMode): void;
  /** Of an operation that runs, in points. */
  observeCost(cost: number): void;
}

/** Counts what went over a limit, and what operations cost; one for each registry. */
export function createLimitMetrics(registry: Registry): LimitMetrics {
  const exceeded = new Counter({
    name: 'tributary_limit_exceeded_total',
    help: 'Requests over a limit, by limit and by what came of it.',
    labelNames: ['limit', 'mode'],
    registers: [registry],
  });
  const costs = new Histogram({
    name: 'tributary_operation_cost',
    help: 'Cost of an operation in points.',
    buckets: [1, 10, 30, 100, 300, 1_000, 3_000, 10_000, 20_000, 100_000, 1_000_000],
    registers: [registry],
  });
  return {
    count: (limit, mode) => exceeded.inc({ limit, mode }),
    observeCost: (cost) => costs.observe(cost),
  };
}
