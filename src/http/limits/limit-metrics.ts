import { Counter, type Registry } from 'prom-client';
import type { Limits } from '../../config.ts';

/** `refused`: the request got an error; `warned`: it passed, as the limit only warns. */
export type LimitMode = 'refused' | 'warned';

/** `fieldPairs` has no setting: it keeps validation short. */
export type LimitName = keyof Limits | 'fieldPairs';

export interface LimitMetrics {
  count(limit: LimitName, mode: LimitMode): void;
}

/** Counts what went over a limit; one for each registry. */
export function createLimitMetrics(registry: Registry): LimitMetrics {
  const exceeded = new Counter({
    name: 'tributary_limit_exceeded_total',
    help: 'Requests over a limit, by limit and by what came of it.',
    labelNames: ['limit', 'mode'],
    registers: [registry],
  });
  return { count: (limit, mode) => exceeded.inc({ limit, mode }) };
}
