/** Hands the results of batches out to the calls that wait for them, so many in one turn of the event loop. */
import { rowCutter } from './batch-layout.ts';
import type { Batch, WaitingRow } from './work-queue.ts';
import type { DoneMessage } from './worker-messages.ts';

// In rows. Whoever waits for a call does what comes next in the same turn, some microseconds at least: with 4,096 callers
// of one row results held the event loop for 13 ms and more, in portions of about 114 calls for 6.
const workInATurn = 1_024;
const callWork = 8;
// Where the event loop's turns are long, portions grow with what waits, or results come too late: 3 % of calls at twice the
// load. With 2 in place of 0.5, 4,096 callers held the event loop for 15 ms again.
const workForWaitingRow = 0.5;

export class ResultDesk {
  #workLeft = workInATurn;
  #rowsWaiting = 0;
  #nextTurn: Promise<void> | null = null;

  /** Gives each row its outputs. `startedAt`: performance.now() when the batch began to run. Resolves after the last row. */
  async handOut({ version, rows }: Batch, done: DoneMessage, startedAt: number): Promise<void> {
    const cut = rowCutter(version.manifest, done.outputs);
    const { computeMs } = done;
    const batchRows = rows.length;
    this.#rowsWaiting += batchRows;
    const complete = ({ call, index }: WaitingRow, row: WaitingRow, position: number) => {
      if (call.isSettled) return;
      const queueMs = startedAt - call.startedAt;
      call.complete(index, { outputs: cut(row, position), batchRows, queueMs, computeMs });
      this.#workLeft -= call.isSettled ? 1 + callWork : 1;
    };
    for (let position = 0; position < rows.length; position++) {
      while (this.#workLeft <= 0) await this.#waitForTurn();
      const row = rows[position]!;
      this.#rowsWaiting--;
      complete(row, row, position);
      for (const follower of row.followers ?? []) {
        while (this.#workLeft <= 0) await this.#waitForTurn();
        complete(follower, row, position);
      }
    }
  }

  #waitForTurn(): Promise<void> {
    this.#nextTurn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#nextTurn = null;
        this.#workLeft = Math.max(workInATurn, workForWaitingRow * this.#rowsWaiting);
        resolve();
      });
    });
    return this.#nextTurn;
  }
}
