import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Latency } from './results.ts';

const shares = [...Array.from({ length: 100 }, (_, percent) => percent / 100), 0.999, 1];

/** Of one or more loads; kept in microseconds, with three digits. */
export class LatencyRecord {
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 3, highest: 600_000_000 });

  record(ms: number): void {
    // A histogram takes nothing below 1.
    this.#histogram.record(Math.max(1, Math.round(ms * 1_000)));
  }

  add(other: LatencyRecord): void {
    this.#histogram.add(other.#histogram);
  }

  /** 0 for each while nothing is recorded. */
  summary(): Latency {
    const msAt = (share: number) => {
      if (this.#histogram.count === 0) return 0;
      if (share === 0) return this.#histogram.min / 1_000;
      if (share === 1) return this.#histogram.max / 1_000;
      return this.#histogram.percentile(share * 100) / 1_000;
    };
    return {
      p50Ms: msAt(0.5),
      p95Ms: msAt(0.95),
      p99Ms: msAt(0.99),
      maxMs: msAt(1),
      distributionMs: shares.map((share) => [share, msAt(share)]),
    };
  }
}
