import { percentile } from '../statistics.ts';
import { LatencyRecord } from '../suite/latency.ts';
import type { Phase } from '../suite/open-loop.ts';
import { type Outcome, type RequestClass, type RunReport, requestClasses, type Tick } from './run-report.ts';

/** Fewer say nothing of a second's p95. */
const leastOfTick = 10;

interface TickRecord {
  readonly outcomes: Record<Outcome, number>;
  readonly latenciesMs: Record<RequestClass, number[]>;
}

/** Counts what becomes of the requests of one run. */
export class Recorder {
  /** Of each phase, from the beginning of the run. */
  readonly #startsMs: readonly number[];
  readonly #all = new LatencyRecord();
  readonly #classes = byClass(() => new LatencyRecord());
  readonly #counts = byClass(() => 0);
  readonly #phases: Record<Outcome, number>[];
  readonly #ticks: TickRecord[] = [];
  compared = 0;

  constructor(phases: readonly Phase[]) {
    let endMs = 0;
    this.#startsMs = phases.map(({ seconds }) => {
      endMs += seconds * 1_000;
      return endMs - seconds * 1_000;
    });
    this.#phases = phases.map(() => ({}));
  }

  /** @param dueMs - from the beginning of the run */
  ended(dueMs: number, kind: RequestClass, outcome: Outcome, latencyMs: number): void {
    const tick = this.#tickAt(Math.floor(dueMs / 1_000));
    const phase = this.#phases[this.#startsMs.findLastIndex((startMs) => startMs <= dueMs)]!;
    for (const counts of [tick.outcomes, phase]) counts[outcome] = (counts[outcome] ?? 0) + 1;
    if (outcome === 'shed') return;
    this.#all.record(latencyMs);
    this.#classes[kind].record(latencyMs);
    tick.latenciesMs[kind].push(latencyMs);
    this.#counts[kind] += 1;
  }

  #tickAt(second: number): TickRecord {
    // Without holes: nothing may have been due in a second.
    while (this.#ticks.length <= second) this.#ticks.push({ outcomes: {}, latenciesMs: byClass(() => []) });
    return this.#ticks[second]!;
  }

  /**
   * @param tookSeconds - until the last request had ended
   * @param lateP99Ms - of the beginnings
   */
  report(tookSeconds: number, lateP99Ms: number): RunReport {
    const outcomes: Record<Outcome, number> = {};
    for (const phase of this.#phases) {
      for (const [outcome, count] of Object.entries(phase)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    }
    return {
      answeredPerSecond: (outcomes.ok ?? 0) / tookSeconds,
      outcomes,
      phaseOutcomes: this.#phases,
      all: this.#all.summary(),
      classes: byClass((kind) => ({ ...this.#classes[kind].summary(), count: this.#counts[kind] })),
      ticks: this.#ticks.map(describeTick),
      compared: this.compared,
      lateP99Ms,
    };
  }
}

function byClass<Value>(make: (kind: RequestClass) => Value): Record<RequestClass, Value> {
  return Object.fromEntries(requestClasses.map((kind) => [kind, make(kind)])) as Record<RequestClass, Value>;
}

function describeTick({ outcomes, latenciesMs }: TickRecord, index: number): Tick {
  return {
    atMs: (index + 1) * 1_000,
    due: Object.values(outcomes).reduce((sum, count) => sum + count, 0),
    outcomes,
    p95Ms: byClass((kind) => (latenciesMs[kind].length < leastOfTick ? null : percentile(latenciesMs[kind], 0.95))),
  };
}
