import { createHistogram } from 'node:perf_hooks';
import { percentile } from '../statistics.ts';
import {
  type Latencies,
  type Outcome,
  type RequestClass,
  type RunReport,
  requestClasses,
  type Tick,
} from './run-report.ts';

/** Fewer say nothing of a second's p95. */
const leastOfTick = 10;

type Histogram = ReturnType<typeof createHistogram>;

interface TickRecord {
  readonly outcomes: Record<Outcome, number>;
  readonly latenciesMs: Record<RequestClass, number[]>;
}

/** Counts what becomes of the requests of one run. */
export class Recorder {
  readonly #startsMs: readonly number[];
  readonly #all = createHistogram();
  readonly #classes = byClass(() => createHistogram());
  readonly #lateness = createHistogram();
  readonly #phases: Record<Outcome, number>[];
  readonly #ticks: TickRecord[] = [];
  compared = 0;

  /** @param phaseStartsMs - of each phase, from the beginning of the run */
  constructor(phaseStartsMs: readonly number[]) {
    this.#startsMs = phaseStartsMs;
    this.#phases = phaseStartsMs.map(() => ({}));
  }

  /** How late a request began. */
  began(lateMs: number): void {
    this.#lateness.record(microseconds(lateMs));
  }

  /** @param dueMs - from the beginning of the run */
  ended(dueMs: number, kind: RequestClass, outcome: Outcome, latencyMs: number): void {
    const tick = this.#tickAt(Math.floor(dueMs / 1_000));
    const phase = this.#phases[this.#startsMs.findLastIndex((startMs) => startMs <= dueMs)]!;
    for (const counts of [tick.outcomes, phase]) counts[outcome] = (counts[outcome] ?? 0) + 1;
    if (outcome === 'shed') return;
    this.#all.record(microseconds(latencyMs));
    this.#classes[kind].record(microseconds(latencyMs));
    tick.latenciesMs[kind].push(latencyMs);
  }

  #tickAt(second: number): TickRecord {
    // Without holes: nothing may have been due in a second.
    while (this.#ticks.length <= second) this.#ticks.push({ outcomes: {}, latenciesMs: byClass(() => []) });
    return this.#ticks[second]!;
  }

  /** @param tookSeconds - until the last answer was there */
  report(tookSeconds: number): RunReport {
    const outcomes: Record<Outcome, number> = {};
    for (const phase of this.#phases) {
      for (const [outcome, count] of Object.entries(phase)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    }
    return {
      answeredPerSecond: (outcomes.ok ?? 0) / tookSeconds,
      outcomes,
      phaseOutcomes: this.#phases,
      all: describe(this.#all),
      classes: byClass((kind) => describe(this.#classes[kind])),
      ticks: this.#ticks.map(describeTick),
      compared: this.compared,
      lateP99Ms: this.#lateness.percentile(99) / 1_000,
    };
  }
}

function byClass<Value>(make: (kind: RequestClass) => Value): Record<RequestClass, Value> {
  return Object.fromEntries(requestClasses.map((kind) => [kind, make(kind)])) as Record<RequestClass, Value>;
}

/** At least 1, as a histogram wants it. */
function microseconds(milliseconds: number): number {
  return Math.max(1, Math.round(milliseconds * 1_000));
}

function describe(histogram: Histogram): Latencies {
  const atMs = (share: number) => (histogram.count === 0 ? 0 : histogram.percentile(share) / 1_000);
  const maxMs = histogram.count === 0 ? 0 : histogram.max / 1_000;
  return { count: histogram.count, p50Ms: atMs(50), p95Ms: atMs(95), p99Ms: atMs(99), maxMs };
}

function describeTick({ outcomes, latenciesMs }: TickRecord, index: number): Tick {
  return {
    atMs: (index + 1) * 1_000,
    due: Object.values(outcomes).reduce((sum, count) => sum + count, 0),
    outcomes,
    p95Ms: byClass((kind) => (latenciesMs[kind].length < leastOfTick ? null : percentile(latenciesMs[kind], 0.95))),
  };
}
