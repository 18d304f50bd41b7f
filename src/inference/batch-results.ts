/** Hands the results of a batch out to the calls that wait for them. */
import { rowCutter } from './batch-layout.ts';
import type { Batch, WaitingRow } from './work-queue.ts';
import type { DoneMessage } from './worker-messages.ts';

// Each call that settles runs what its caller does next in the same turn: with 4,096 callers a batch of 1,024 would hold
// the event loop for 10 ms and more.
const callsInATurn = 256;

/**
 * Gives each row its outputs; `startedAt`: performance.now() when the batch started to run. Settles so many calls in one
 * turn of the event loop, the others in the turns after it, and resolves after the last.
 */
export async function completeBatch({ version, rows }: Batch, done: DoneMessage, startedAt: number): Promise<void> {
  const cut = rowCutter(version.manifest, done.outputs);
  const { computeMs } = done;
  const batchRows = rows.length;
  let settled = 0;
  const complete = ({ call, index }: WaitingRow, row: WaitingRow, position: number) => {
    if (call.isSettled) return;
    const queueMs = startedAt - call.startedAt;
    call.complete(index, { outputs: cut(row, position), batchRows, queueMs, computeMs });
    if (call.isSettled) settled++;
  };
  for (let position = 0; position < rows.length; position++) {
    const row = rows[position]!;
    complete(row, row, position);
    for (const follower of row.followers ?? []) complete(follower, row, position);
    if (settled < callsInATurn) continue;
    settled = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
