/** A fixed cost and one for each row. */
export interface LinearFit {
  readonly fixed: number;
  readonly perRow: number;
  /** The share of the differences that it explains. */
  readonly r2: number;
  /** Of each point, in their order: what was measured by what the fit says. */
  readonly ratios: readonly number[];
}

/**
 * Least squares of the relative errors: by those of the absolute ones the largest point alone would decide, and each
 * smaller one could be twice what the line says.
 */
export function fitLine(points: readonly (readonly [rows: number, cost: number])[]): LinearFit {
  const sum = (of: (x: number, y: number) => number) => points.reduce((total, [x, y]) => total + of(x, y) / (y * y), 0);
  const [weight, sumX, sumY] = [sum(() => 1), sum((x) => x), sum((_, y) => y)];
  const [sumXX, sumXY] = [sum((x) => x * x), sum((x, y) => x * y)];
  const perRow = (weight * sumXY - sumX * sumY) / (weight * sumXX - sumX * sumX);
  const fixed = (sumY - perRow * sumX) / weight;
  const mean = points.reduce((total, [, y]) => total + y, 0) / points.length;
  const left = points.reduce((total, [x, y]) => total + (y - fixed - perRow * x) ** 2, 0);
  const spread = points.reduce((total, [, y]) => total + (y - mean) ** 2, 0);
  return { fixed, perRow, r2: 1 - left / spread, ratios: points.map(([x, y]) => y / (fixed + perRow * x)) };
}
