import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import type { Caller } from './caller.ts';
import { isRetriable } from './failures.ts';

export interface RetryOptions {
  /** Running it twice is no different from running it once. */
  isRead: boolean;
  caller: Caller;
  /** Whether the server is believed to answer: nothing is tried on one that is down. */
  isUp(): boolean;
}

/** Three attempts at most, the second at once. Only a failure pays for the policy: the first runs without it. */
export async function withRetries<Result>(
  first: Promise<Result>,
  again: () => Promise<Result>,
  { isRead, caller, isUp }: RetryOptions,
): Promise<Result> {
  try {
    return await first;
  } catch (error) {
    if (!isRetriable(error, isRead) || caller.isGone) throw error;
    const policy = retry(
      handleWhen((reason) => isRetriable(reason, isRead) && isUp()),
      { maxAttempts: 1, backoff: new ExponentialBackoff({ initialDelay: 20, maxDelay: 200 }) },
    );
    return policy.execute(again, caller.signal ?? undefined);
  }
}
