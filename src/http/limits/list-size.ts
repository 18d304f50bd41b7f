import type { Logger } from 'pino';
import type { Limit } from '../../config.ts';
import type { CheckListSize } from '../../context.ts';
import { badUserInput } from '../../errors.ts';
import { maxPageSize } from '../../schema/builder.ts';
import type { LimitMetrics } from './limit-metrics.ts';

export interface ListSizeOptions {
  limit: Limit;
  limitMetrics: LimitMetrics;
  log: Logger;
}

/** The check of a request's list sizes, by its id, for its context. */
export function createListSizeCheck({
  limit,
  limitMetrics,
  log,
}: ListSizeOptions): (requestId: string) => CheckListSize {
  const max = Math.min(limit.max, maxPageSize);
  return (requestId) => (path, size) => {
    if (size >= 0 && size <= max) return;
    const passes = limit.isWarnOnly && size > max && size <= maxPageSize;
    if (size > max) limitMetrics.count('listSize', passes ? 'warned' : 'refused');
    if (!passes) throw badUserInput({ path, message: `expected 0 to ${max}, got ${size}` });
    log.warn({ requestId, limit: 'listSize', max, actual: size }, 'over the limit listSize');
  };
}
