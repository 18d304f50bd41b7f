/** Measures of classifiers and forecasts. */

/** F1 of one class: scores above the threshold count as predicted. 0 when nothing is predicted or true. */
export function f1Score(scores: ArrayLike<number>, labels: ArrayLike<number>, threshold: number): number {
  let both = 0;
  let predicted = 0;
  let actual = 0;
  for (let i = 0; i < scores.length; i++) {
    const isPredicted = scores[i]! > threshold;
    if (isPredicted) predicted++;
    if (labels[i]! > 0) actual++;
    if (isPredicted && labels[i]! > 0) both++;
  }
  return predicted + actual === 0 ? 0 : (2 * both) / (predicted + actual);
}

/** The threshold out of 0.02, 0.03 ... 0.90 with the best F1, and that F1. */
export function bestThreshold(scores: ArrayLike<number>, labels: ArrayLike<number>): { threshold: number; f1: number } {
  let best = { threshold: 0.5, f1: -1 };
  for (let percent = 2; percent <= 90; percent++) {
    const f1 = f1Score(scores, labels, percent / 100);
    if (f1 > best.f1) best = { threshold: percent / 100, f1 };
  }
  return best;
}

/** Arithmetic mean; NaN for no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Loss of a quantile forecast: over-forecasts cost 1 - level, under-forecasts cost level, per unit. */
export function pinballLoss(actual: number, forecast: number, level: number): number {
  const difference = actual - forecast;
  return difference >= 0 ? level * difference : (level - 1) * difference;
}

/** The value below which a share of the values lies, with linear interpolation. Sorts in place. */
export function quantileInPlace(values: Float64Array, share: number): number {
  values.sort();
  const position = Math.min(values.length - 1, Math.max(0, share * (values.length - 1)));
  const below = Math.floor(position);
  const above = Math.min(values.length - 1, below + 1);
  return values[below]! + (position - below) * (values[above]! - values[below]!);
}
