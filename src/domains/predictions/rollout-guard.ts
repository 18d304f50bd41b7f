/** When a new version is worse than the one before it: its last calls against those of the baseline. Pure. */
import type { ModelRollout } from './tables.ts';

/** How one call ended, as far as it tells of the version. */
export interface CallOutcome {
  /** performance.now() at its end. */
  atMs: number;
  isFailed: boolean;
  /** null: it failed, or came from the cache as a whole. */
  latencyMs: number | null;
}

export type Guard = Pick<ModelRollout, 'maxErrorRate' | 'maxLatencyRatio' | 'minCalls'>;

/** What a rollout is guarded by unless it says otherwise. */
export const defaultGuard: Guard = { maxErrorRate: 0.05, maxLatencyRatio: 2, minCalls: 20 };

/** Calls that are remembered of each version, and for how long. */
export const windowCalls = 200;
export const windowMs = 600_000;
// Versions that both answer within a few milliseconds differ by what else the process does.
const leastSlowdownMs = 5;

/** The last calls of a version, at most windowCalls and none older than windowMs. */
export class CallWindow {
  #outcomes: CallOutcome[] = [];

  add(outcome: CallOutcome): void {
    this.#outcomes.push(outcome);
    if (this.#outcomes.length > windowCalls) this.#outcomes.shift();
  }

  /** Those still in the window at a time, earliest first. */
  at(nowMs: number): readonly CallOutcome[] {
    const first = this.#outcomes.findIndex(({ atMs }) => atMs > nowMs - windowMs);
    if (first !== 0) this.#outcomes = first < 0 ? [] : this.#outcomes.slice(first);
    return this.#outcomes;
  }
}

export interface VersionCalls {
  version: string;
  calls: readonly CallOutcome[];
}

/**
 * What is wrong with a version whose calls fail more often than the baseline's, in words for people; null: nothing, or
 * it has had fewer than minCalls. A baseline without calls has failed none.
 */
export function findErrorFault(
  { version, calls }: VersionCalls,
  baseline: VersionCalls,
  { maxErrorRate, minCalls }: Guard,
): string | null {
  if (calls.length < minCalls || errorRate(calls) <= errorRate(baseline.calls) + maxErrorRate) return null;
  return `version ${version} failed ${countFailed(calls)} of its last ${calls.length} calls, version ${baseline.version} ${countFailed(baseline.calls)} of ${baseline.calls.length}`;
}

/**
 * What is wrong with a version that is slower than the baseline, likewise; null: nothing, or one of them has answered
 * fewer than minCalls without the cache.
 */
export function findLatencyFault(
  { version, calls }: VersionCalls,
  baseline: VersionCalls,
  { maxLatencyRatio, minCalls }: Guard,
): string | null {
  const own = latencies(calls);
  const others = latencies(baseline.calls);
  if (own.length < minCalls || others.length < minCalls) return null;
  const [slow, fast] = [median(own), median(others)];
  if (slow <= maxLatencyRatio * fast || slow - fast < leastSlowdownMs) return null;
  return `version ${version} took ${slow.toFixed(1)} ms in the median of its last ${own.length} calls, version ${baseline.version} ${fast.toFixed(1)} ms`;
}

function countFailed(calls: readonly CallOutcome[]): number {
  return calls.filter(({ isFailed }) => isFailed).length;
}

function errorRate(calls: readonly CallOutcome[]): number {
  return calls.length === 0 ? 0 : countFailed(calls) / calls.length;
}

function latencies(calls: readonly CallOutcome[]): Float64Array {
  return Float64Array.from(calls.map(({ latencyMs }) => latencyMs).filter((latencyMs) => latencyMs !== null)).sort();
}

/** Of sorted numbers, the lower one of two in the middle. */
function median(sorted: Float64Array): number {
  return sorted[(sorted.length - 1) >> 1]!;
}
