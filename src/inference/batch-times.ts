/** What batches of each version cost, as measured, and what follows for their size and for how long rows will wait. */
import type { BatchLimits } from './batch-layout.ts';
import type { LoadedVersion } from './engine.ts';
import type { Load } from './row-line.ts';
import { TimeFit } from './time-fit.ts';

/** What was measured of a version. */
export interface Measured {
  /** Of the model alone, by elements with padding. */
  readonly compute: TimeFit;
  /** From when a worker could start a batch until its results were here, by elements without padding. */
  readonly service: TimeFit;
}

// A batch of its own must save this much padding beside its fixed costs: each also costs messages and turns.
const splitCostMs = 1.3;
// The same for a model that was not measured yet: 1.3 ms at 20 ns an element, as text models take.
const splitCostElements = 65_536;
// What another worker must save to be given a share: it has to be woken up, and its batch sent and taken apart.
const shareCostMs = 0.5;
// From the end of a batch until the next one starts when that was not staged: two messages and a turn of the event loop.
const gapMs = 0.2;
// A batch that computes less is not staged before it is full: messages would cost more than the gap that it fills.
const minStagedMs = 1;

export class BatchTimes {
  readonly #measured: WeakMap<LoadedVersion, Measured>;
  readonly #maxBatchMs: number;

  /** `maxBatchMs`: how long a batch should compute at most. */
  constructor(measured: WeakMap<LoadedVersion, Measured>, maxBatchMs: number) {
    this.#measured = measured;
    this.#maxBatchMs = maxBatchMs;
  }

  of(version: LoadedVersion): Measured {
    let measured = this.#measured.get(version);
    if (measured === undefined) {
      measured = { compute: new TimeFit(), service: new TimeFit() };
      this.#measured.set(version, measured);
    }
    return measured;
  }

  /** The bounds of a batch of what waits, when so many workers are idle: each gets a share if that pays. */
  limitsOf(version: LoadedVersion, { rows, elements }: Readonly<Load>, idleWorkers: number): BatchLimits {
    const { compute } = this.of(version);
    const maxElements = compute.elementsWithin(this.#maxBatchMs);
    const isMeasured = compute.perElementMs > 0;
    const worth = isMeasured ? (splitCostMs + compute.perBatchMs) / compute.perElementMs : splitCostElements;
    const savedMs = compute.perElementMs * (elements - elements / idleWorkers);
    const isShared = idleWorkers > 1 && savedMs > shareCostMs + compute.perBatchMs;
    const { maxBatchRows } = version.manifest;
    const maxRows = isShared ? Math.min(maxBatchRows, Math.ceil(rows / idleWorkers)) : maxBatchRows;
    return { maxRows, maxElements, paddingWorthABatch: worth };
  }

  /** Whether a batch of what waits should be ready before a worker is: it is full, or fills the gap at no cost. */
  isWorthStaging(version: LoadedVersion, { maxRows, maxElements }: BatchLimits, { rows, elements }: Readonly<Load>) {
    if (rows >= maxRows || elements >= maxElements) return true;
    const { perElementMs, perBatchMs } = this.of(version).compute;
    return perElementMs * elements >= minStagedMs && perBatchMs <= gapMs;
  }

  /** One batch of what waits; milliseconds, 0 when nothing is known. */
  batchMs(version: LoadedVersion, limits: BatchLimits, { rows, elements }: Readonly<Load>): number {
    const ofRows = rows > limits.maxRows ? (elements / rows) * limits.maxRows : elements;
    return this.of(version).service.estimateMs(Math.min(ofRows, limits.maxElements));
  }

  /** All batches of what waits, one after the other; milliseconds. */
  allMs(version: LoadedVersion, { maxRows, maxElements }: BatchLimits, { rows, elements }: Readonly<Load>): number {
    const batches = Math.ceil(Math.max(rows / maxRows, elements / Math.max(1, maxElements)));
    return this.of(version).service.estimateMs(elements, batches);
  }
}
