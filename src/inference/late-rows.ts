/** Rows whose results would come too late: they end before they run, so that they cost no worker's time. */
import type { WaitingRow } from './work-queue.ts';

/**
 * Of rows that may run together until `doneAt`, those to run; ends the calls whose deadlines come before. Unless no row
 * would be left: the estimate may be wrong, and only what runs corrects it. Times are those of performance.now().
 */
export function dropLate(rows: readonly WaitingRow[], now: number, doneAt: number): readonly WaitingRow[] {
  const wanted = rows.filter((row) => isWantedAfter(row, now));
  if (!wanted.some((row) => lastDeadline(row) >= doneAt)) return wanted;
  return wanted.filter((row) => isWantedAfter(row, doneAt));
}

/** Ends calls whose deadlines come before `time`; what nobody wants any more leaves the queue by that. */
export function isWantedAfter(row: WaitingRow, time: number): boolean {
  if (row.call.deadlineAt < time) row.call.expire();
  if (row.followers !== null) for (const { call } of row.followers) if (call.deadlineAt < time) call.expire();
  return row.wanted > 0;
}

function lastDeadline({ call, followers }: WaitingRow): number {
  let last = call.deadlineAt;
  if (followers !== null) for (const { call } of followers) last = Math.max(last, call.deadlineAt);
  return last;
}
