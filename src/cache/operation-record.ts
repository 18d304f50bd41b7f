/** What a process learns of an operation whose answers it keeps: how they were answered, and how long they take to make. */

/**
 * How a request was answered: kept in this process; kept in the shared tier; kept but expired, while another makes it anew;
 * made by another at the same time; made; not looked up.
 */
export type Outcome = 'hit' | 'l2' | 'stale' | 'shared' | 'miss' | 'bypass';
export const outcomes: readonly Outcome[] = ['hit', 'l2', 'stale', 'shared', 'miss', 'bypass'];

/** Plain numbers: a hit must cost no more to count than an addition. */
export type AnswerCounts = Record<Outcome, number>;

export interface OperationRecord {
  readonly counts: AnswerCounts;
  /** Of the last making, in milliseconds; null: none yet. */
  makingMs: number | null;
}

export function createAnswerCounts(): AnswerCounts {
  return { hit: 0, l2: 0, stale: 0, shared: 0, miss: 0, bypass: 0 };
}
