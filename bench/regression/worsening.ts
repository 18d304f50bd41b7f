/** Whether figures have become worse, or only differ as they do from one measurement to the next. */

/** Of the logarithms of a figure's ratio, before to after, where more is worse; 0.18 is 20 %. */
export interface Worsening {
  /** Negative where it is better. */
  mean: number;
  /** What it is at least, but for a false alarm; -Infinity when there are too few measurements to say. */
  least: number;
  isWorse: boolean;
}

export interface WorseningOptions {
  /** Of comparisons in which nothing has changed, how many may say that something has become worse. */
  falseAlarms: number;
  /** What is never called worse, as noise that all measurements of one side share cannot be seen. */
  ignored: number;
}

interface Sample {
  mean: number;
  /** Of the mean. */
  variance: number;
  size: number;
}

/**
 * Student's test of pairs, one-sided.
 * @param changes of each pair, measured independently of the others
 */
export function worseningOfPairs(changes: readonly number[], options: WorseningOptions): Worsening {
  const { mean, variance, size } = sampleOf(changes);
  return judge(mean, variance, size - 1, options);
}

/** Welch's test of two samples, one-sided. */
export function worseningOfSamples(
  before: readonly number[],
  after: readonly number[],
  options: WorseningOptions,
): Worsening {
  const [first, second] = [sampleOf(before), sampleOf(after)];
  const variance = first.variance + second.variance;
  const weight = first.variance ** 2 / (first.size - 1) + second.variance ** 2 / (second.size - 1);
  return judge(second.mean - first.mean, variance, weight === 0 ? first.size : variance ** 2 / weight, options);
}

function judge(mean: number, variance: number, freedom: number, options: WorseningOptions): Worsening {
  const isKnown = freedom >= 1 && Number.isFinite(variance);
  const least = isKnown ? mean - studentQuantile(1 - options.falseAlarms, freedom) * Math.sqrt(variance) : -Infinity;
  return { mean, least, isWorse: least > options.ignored };
}

function sampleOf(values: readonly number[]): Sample {
  const size = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / size;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: squares / (size - 1) / size, size };
}

/**
 * The value below which Student's t lies with this probability, to five digits.
 * With t = √freedom · tan(angle) its density becomes cos(angle)^(freedom - 1), which is summed.
 * @param probability from 0.5 to below 1
 */
export function studentQuantile(probability: number, freedom: number): number {
  const steps = 10_000;
  const step = Math.PI / 2 / steps;
  const weights = Array.from({ length: steps }, (_, index) => Math.cos((index + 0.5) * step) ** (freedom - 1));
  const wanted = (2 * probability - 1) * weights.reduce((sum, weight) => sum + weight, 0);
  let [sum, index] = [0, 0];
  while (sum + weights[index]! < wanted) {
    sum += weights[index]!;
    index += 1;
  }
  return Math.sqrt(freedom) * Math.tan((index + (wanted - sum) / weights[index]!) * step);
}
