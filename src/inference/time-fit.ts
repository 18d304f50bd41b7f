/** An online fit of what a batch takes: time = perElementMs * elements + perBatchMs. */

// About the last twenty batches count, so a machine that became slower is known within a second of load.
const decay = 0.95;
// One batch that the machine held up must not close the door for the next twenty.
const maxSurprise = 4;
const samplesBeforeSurprise = 8;
// With sizes closer together than this (standard deviation by mean), a slope would only be noise.
const minSpread = 0.1;

/** Fits one version of a model. Elements are those of a whole batch, padding included. */
export class TimeFit {
  #samples = 0;
  // Decayed sums of 1, x, y, x * x and x * y; x in elements, y in milliseconds.
  #weight = 0;
  #x = 0;
  #y = 0;
  #xx = 0;
  #xy = 0;
  #perElementMs = 0;
  #perBatchMs = 0;
  #hasSlope = false;

  /** Whether anything is known yet. */
  get isKnown(): boolean {
    return this.#samples > 0;
  }

  get perElementMs(): number {
    return this.#perElementMs;
  }

  get perBatchMs(): number {
    return this.#perBatchMs;
  }

  /** Takes one measured batch. */
  add(elements: number, ms: number): void {
    const limitMs = maxSurprise * Math.max(0.1, this.estimateMs(elements));
    const y = this.#samples < samplesBeforeSurprise ? ms : Math.min(ms, limitMs);
    this.#samples++;
    this.#weight = this.#weight * decay + 1;
    this.#x = this.#x * decay + elements;
    this.#y = this.#y * decay + y;
    this.#xx = this.#xx * decay + elements * elements;
    this.#xy = this.#xy * decay + elements * y;
    this.#solve();
  }

  /** What so many elements in so many batches take, one after the other; 0 when nothing is known. */
  estimateMs(elements: number, batches = 1): number {
    return this.#perElementMs * elements + this.#perBatchMs * batches;
  }

  /**
   * Elements of the largest batch that stays within so many milliseconds. While all batches were of one size, at least
   * twice that size: a larger one is the only way to learn what it costs.
   */
  elementsWithin(ms: number): number {
    if (!this.isKnown || this.#perElementMs <= 0) return Number.POSITIVE_INFINITY;
    const elements = Math.max(0, (ms - this.#perBatchMs) / this.#perElementMs);
    return this.#hasSlope ? elements : Math.max(elements, (2 * this.#x) / this.#weight);
  }

  #solve(): void {
    const meanX = this.#x / this.#weight;
    const variance = this.#xx / this.#weight - meanX * meanX;
    this.#hasSlope = variance > (minSpread * meanX) ** 2;
    const covariance = this.#xy / this.#weight - (meanX * this.#y) / this.#weight;
    const slope = this.#hasSlope ? Math.max(0, covariance / variance) : Number.POSITIVE_INFINITY;
    const perBatchMs = this.#y / this.#weight - slope * meanX;
    if (perBatchMs >= 0) {
      this.#perElementMs = slope;
      this.#perBatchMs = perBatchMs;
    } else {
      this.#perElementMs = this.#xx > 0 ? this.#xy / this.#xx : 0;
      this.#perBatchMs = 0;
    }
  }
}
