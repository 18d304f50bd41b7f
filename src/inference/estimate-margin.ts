/** How much longer calls take than was estimated when they were let in, as measured: what an estimate must be times. */

// About the last fifty batches count.
const decay = 0.98;
// Of a normal distribution 1 in 700 lies beyond three standard deviations.
const deviations = 3;
// A machine that stood still must not close the door for the next fifty batches.
const maxRatio = 4;
// Below this the event loop's own turns decide how long a call takes.
const minEstimatedMs = 2;

export class EstimateMargin {
  #weight = 0;
  #ratios = 0;
  #squares = 0;
  #factor = 1;

  /** At least 1. */
  get factor(): number {
    return this.#factor;
  }

  /** Takes one call, for each batch the one that waited longest. */
  add(estimatedMs: number, tookMs: number): void {
    if (estimatedMs < minEstimatedMs) return;
    const ratio = Math.min(maxRatio, tookMs / estimatedMs);
    this.#weight = this.#weight * decay + 1;
    this.#ratios = this.#ratios * decay + ratio;
    this.#squares = this.#squares * decay + ratio * ratio;
    const mean = this.#ratios / this.#weight;
    const deviation = Math.sqrt(Math.max(0, this.#squares / this.#weight - mean * mean));
    this.#factor = Math.max(1, mean + deviations * deviation);
  }
}
