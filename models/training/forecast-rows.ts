/** Training and evaluation rows of the forecaster, cut from series by the code that also serves. */
import {
  buildForecastInput,
  type ForecastShape,
  type ForecastSite,
  forecastFeatureCount,
} from '../../src/domains/predictions/forecast.ts';
import type { LoadSeries } from './data-files.ts';

/** Rows of one shape: inputs side by side, and what came true in each row's own scale. */
export interface ForecastRows {
  shape: ForecastShape;
  count: number;
  /** [count, forecastFeatureCount(shape)] */
  features: Float32Array;
  /** [count, horizonSteps]: (load - level) / scale */
  targets: Float32Array;
}

/** The indices from..to (exclusive) at which a forecast can start: enough history before, enough truth after. */
export function listStarts(
  series: LoadSeries,
  shape: ForecastShape,
  from: number,
  to: number,
  horizonSteps = shape.horizonSteps,
): Int32Array {
  const first = Math.max(from, shape.lookbackSteps);
  const last = Math.min(to, series.values.length) - horizonSteps;
  return Int32Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

/** The index of the step that starts at an instant. */
export function indexAt(series: LoadSeries, instant: string): number {
  return Math.round((Date.parse(instant) - series.startUtcMs) / (series.stepMinutes * 60_000));
}

/** The site as it was known at a start. */
export function siteAt(series: LoadSeries, shape: ForecastShape, start: number): ForecastSite {
  return {
    history: series.values.slice(start - shape.lookbackSteps, start),
    startUtcMs: series.startUtcMs + start * series.stepMinutes * 60_000,
    timeZone: series.timeZone,
    holidays: series.holidays,
  };
}

/** Rows for the given starts; a flat history (scale 0) gives targets of 0. */
export function buildRows(series: LoadSeries, shape: ForecastShape, starts: Int32Array): ForecastRows {
  const width = forecastFeatureCount(shape);
  const { horizonSteps } = shape;
  const features = new Float32Array(starts.length * width);
  const targets = new Float32Array(starts.length * horizonSteps);
  starts.forEach((start, row) => {
    const input = buildForecastInput(siteAt(series, shape, start), shape);
    features.set(input.features, row * width);
    for (let step = 0; step < horizonSteps; step++) {
      const difference = series.values[start + step]! - input.level;
      targets[row * horizonSteps + step] = input.scale === 0 ? 0 : difference / input.scale;
    }
  });
  return { shape, count: starts.length, features, targets };
}

/** All rows of several sets of the same shape. */
export function joinRows(sets: readonly ForecastRows[]): ForecastRows {
  const [first] = sets;
  if (first === undefined) throw new Error('expected at least one set of rows');
  const count = sets.reduce((sum, rows) => sum + rows.count, 0);
  const features = new Float32Array(count * forecastFeatureCount(first.shape));
  const targets = new Float32Array(count * first.shape.horizonSteps);
  let [featuresAt, targetsAt] = [0, 0];
  for (const rows of sets) {
    features.set(rows.features, featuresAt);
    targets.set(rows.targets, targetsAt);
    featuresAt += rows.features.length;
    targetsAt += rows.targets.length;
  }
  return { shape: first.shape, count, features, targets };
}
