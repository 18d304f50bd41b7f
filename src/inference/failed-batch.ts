import type { Batch } from './work-queue.ts';
import { WorkerDied } from './worker-thread.ts';

/**
 * What a batch that failed is to be tried as; nothing when it has failed for good. A worker that died may have been killed
 * by the batch it ran: once more on another. What killed twice, or failed by itself, is halved until the rows are found
 * that do it, so that the others succeed. A batch that was staged behind it is not to blame.
 */
export function partsToTry(batch: Batch, cause: unknown, hasStarted: boolean): Batch[] {
  const { rows, isSuspect, search } = batch;
  const hasKilled = cause instanceof WorkerDied;
  if (hasKilled && !hasStarted) return [batch];
  if (hasKilled && !isSuspect) return [{ ...batch, isSuspect: true }];
  if (rows.length < 2 || (hasKilled ? search.deaths < 1 : search.runs < 2)) return [];
  if (hasKilled) search.deaths -= 1;
  else search.runs -= 2;
  const middle = Math.ceil(rows.length / 2);
  return [rows.slice(0, middle), rows.slice(middle)].map((half) => ({ ...batch, rows: half }));
}
