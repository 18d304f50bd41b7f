import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Removal } from '../cache/answer-memory.ts';
import type { Change } from '../cache/invalidation-log.ts';
import { type AnswerCounts, createAnswerCounts, type Outcome, outcomes } from '../cache/operation-record.ts';
import type { SharedRead, SharedWrite } from '../cache/shared-answers.ts';
import type { WaitEnd } from '../cache/shared-tier.ts';

const redisSeconds = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1];
const waitSeconds = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2];

/** What the tiers of the cache tell. Names of operations come from a list that is known beforehand. */
export interface CacheMetrics {
  /** Numbers to be added to; one set for each operation and scope. */
  readonly countsOf: (operationName: string, scope: string) => AnswerCounts;
  readonly onChange: (change: Change) => void;
  readonly onRemoval: (removal: Removal) => void;
  readonly onRace: () => void;
  readonly onSharedRead: (read: SharedRead, milliseconds: number) => void;
  readonly onSharedWrite: (write: SharedWrite, milliseconds: number) => void;
  readonly onWait: (end: WaitEnd, milliseconds: number) => void;
  watch(cache: { readonly bytes: number; readonly count: number }): void;
}

/** Which tier answered, and how, for each outcome. */
const labelsOf: Record<Outcome, { tier: string; outcome: string }> = {
  hit: { tier: 'l1', outcome: 'hit' },
  stale: { tier: 'l1', outcome: 'stale' },
  l2: { tier: 'l2', outcome: 'hit' },
  shared: { tier: 'none', outcome: 'shared' },
  miss: { tier: 'none', outcome: 'miss' },
  bypass: { tier: 'none', outcome: 'bypass' },
};

export function createCacheMetrics(registers: Registry[]): CacheMetrics {
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name, help, labelNames, registers });
  const changes = counter('tributary_cache_changes_total', 'Changes heard of: of some tags, or of everything.', ['of']);
  const removals = counter('tributary_cache_removals_total', 'Answers dropped: changed, evicted, replaced.', [
    'reason',
  ]);
  const races = counter(
    'tributary_cache_races_total',
    'Answers not kept, as something they were made of changed meanwhile.',
    [],
  );
  const timed = (name: string, help: string, buckets: number[]) => {
    const seconds = new Histogram({ name, help, labelNames: ['result'], buckets, registers });
    return (result: string, milliseconds: number) => seconds.observe({ result }, milliseconds / 1_000);
  };
  return {
    countsOf: createAnswerCounter(registers),
    onChange: (change) => changes.inc({ of: change === 'all' ? 'all' : 'tags' }),
    onRemoval: (reason) => removals.inc({ reason }),
    onRace: () => races.inc(),
    onSharedRead: timed(
      'tributary_cache_shared_read_seconds',
      'Reads of the shared tier: found, absent, unreadable, failed.',
      redisSeconds,
    ),
    onSharedWrite: timed(
      'tributary_cache_shared_write_seconds',
      'Writes to the shared tier: stored, skipped as too large or too many, failed.',
      redisSeconds,
    ),
    onWait: timed(
      'tributary_cache_wait_seconds',
      'Waits for another process that makes the same: answered, leased as it made none, over.',
      waitSeconds,
    ),
    watch: (cache) => watchSize(cache, registers),
  };
}

/** A hit is an addition to a number; the labels are looked up when somebody asks for the figures. */
function createAnswerCounter(registers: Registry[]): CacheMetrics['countsOf'] {
  const known = new Map<string, { operation: string; scope: string; counts: AnswerCounts }>();
  new Counter({
    name: 'tributary_cache_answers_total',
    help: 'Operations that may be kept, by tier, outcome (hit, stale, shared, miss, bypass), operation and scope.',
    labelNames: ['tier', 'outcome', 'operation', 'scope'],
    registers,
    collect() {
      this.reset();
      for (const { operation, scope, counts } of known.values()) {
        // Zeros were more than half of the lines.
        const happened = outcomes.filter((outcome) => counts[outcome] > 0);
        for (const outcome of happened) this.inc({ ...labelsOf[outcome], operation, scope }, counts[outcome]);
      }
    },
  });
  return (operation, scope) => {
    const key = `${operation} ${scope}`;
    const entry = known.get(key) ?? { operation, scope, counts: createAnswerCounts() };
    known.set(key, entry);
    return entry.counts;
  };
}

function watchSize(cache: { readonly bytes: number; readonly count: number }, registers: Registry[]): void {
  const watch = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  watch('tributary_cache_bytes', 'Bytes of answers that this process keeps.', () => cache.bytes);
  watch('tributary_cache_count', 'Answers that this process keeps.', () => cache.count);
}
