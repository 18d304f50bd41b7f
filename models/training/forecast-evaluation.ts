/** How good forecasts are, and how much less sure they become with each day ahead. */
import type { InferenceSession } from 'onnxruntime-node';
import {
  type BandGrowth,
  type ForecastInput,
  type ForecastShape,
  type ForecastStep,
  forecastDays,
  forecastQuantiles,
} from '../../src/domains/predictions/forecast.ts';
import { type Feed, runSession } from './artifact.ts';
import type { LoadSeries } from './data-files.ts';
import { siteAt } from './forecast-rows.ts';
import { mean, pinballLoss, quantileInPlace } from './metrics.ts';
import { createBatch, type QuantileNetwork, runNetwork } from './quantile-network.ts';

/** Runs a model on inputs; one output row [quantiles * horizonSteps] for each. */
export type ForecastRunner = (inputs: readonly ForecastInput[]) => Promise<Float32Array[]>;

export interface ForecastScore {
  /** Mean absolute error, in the load's unit. */
  mae: number;
  /** Mean absolute percentage error, in percent; steps with a load of 0 are left out. */
  mape: number;
  /** Mean pinball loss over the quantiles, in the load's unit. */
  pinball: number;
  /** Share of loads from p10 to p90. */
  coverage: number;
}

const batchRows = 256;

/** A runner on a network, without ONNX. */
export function networkRunner(network: QuantileNetwork): ForecastRunner {
  return async (inputs) => {
    const batch = createBatch(network, inputs.length);
    inputs.forEach((input, row) => {
      batch.inputs.set(input.features, row * network.features);
    });
    runNetwork(network, batch);
    return splitRows(batch.outputs, inputs.length);
  };
}

/** A runner on an open session of an exported model. */
export function sessionRunner(session: InferenceSession): ForecastRunner {
  return async (inputs) => splitRows(await runSession(session, inputsFeed(inputs)), inputs.length);
}

/** The model's input for some rows. */
export function inputsFeed(inputs: readonly ForecastInput[]): Feed {
  const width = inputs[0]?.features.length ?? 0;
  const data = new Float32Array(inputs.length * width);
  inputs.forEach((input, row) => {
    data.set(input.features, row * width);
  });
  return { type: 'float32', data, shape: [inputs.length, width] };
}

/** Forecasts over some days from every start; [starts][days * horizonSteps]. */
export async function forecastFrom(
  runner: ForecastRunner,
  series: LoadSeries,
  shape: ForecastShape,
  starts: Int32Array,
  days: number,
  growth: BandGrowth,
): Promise<ForecastStep[][]> {
  const forecasts: ForecastStep[][] = [];
  for (let from = 0; from < starts.length; from += batchRows) {
    const sites = [...starts.subarray(from, from + batchRows)].map((start) => siteAt(series, shape, start));
    const run = forecastDays(sites, days, growth, shape);
    let state = run.next();
    while (!state.done) state = run.next(await runner(state.value));
    forecasts.push(...state.value);
  }
  return forecasts;
}

/** Scores forecasts from each start against the series; only the steps from..to of each forecast, when given. */
export function scoreForecasts(
  forecasts: readonly ForecastStep[][],
  series: LoadSeries,
  starts: Int32Array,
  from = 0,
  to = forecasts[0]?.length ?? 0,
): ForecastScore {
  const errors: number[] = [];
  const shares: number[] = [];
  const losses: number[] = [];
  let inside = 0;
  forecasts.forEach((steps, i) => {
    for (let step = from; step < to; step++) {
      const { p10, p50, p90 } = steps[step]!;
      const actual = series.values[starts[i]! + step]!;
      errors.push(Math.abs(actual - p50));
      if (actual !== 0) shares.push((100 * Math.abs(actual - p50)) / Math.abs(actual));
      losses.push(mean([p10, p50, p90].map((value, q) => pinballLoss(actual, value, forecastQuantiles[q]!))));
      if (actual >= p10 && actual <= p90) inside++;
    }
  });
  return { mae: mean(errors), mape: mean(shares), pinball: mean(losses), coverage: inside / errors.length };
}

/** Forecasts over several days that did not know the truth, with where they started. */
export interface HeldOutForecasts {
  forecasts: ForecastStep[][];
  starts: Int32Array;
  /** Errors of the final model as a share of these. */
  errorShare: number;
}

/**
 * Measures on held-out forecasts how much wider each day's band must be than the model's own, so that either side
 * holds its share of the loads. Never narrower than the day before.
 */
export function measureGrowth(
  heldOut: readonly HeldOutForecasts[],
  series: LoadSeries,
  shape: ForecastShape,
  days: number,
): { lower: number[]; upper: number[] } {
  const growth = { lower: [1], upper: [1] };
  for (let day = 1; day < days; day++) {
    const ratios = heldOut.map((part) => measureRatios(part, series, shape, day));
    for (const side of ['lower', 'upper'] as const) {
      const all = Float64Array.from(ratios.flatMap((ratio) => ratio[side]));
      growth[side].push(Math.max(growth[side].at(-1)!, roundUp(quantileInPlace(all, 0.9))));
    }
  }
  return growth;
}

/** How far loads of one day lie beyond the median, as multiples of the distance to the band's end on that side. */
function measureRatios(
  { forecasts, starts, errorShare }: HeldOutForecasts,
  series: LoadSeries,
  shape: ForecastShape,
  day: number,
): { lower: number[]; upper: number[] } {
  const ratios = { lower: [] as number[], upper: [] as number[] };
  forecasts.forEach((steps, i) => {
    for (let step = day * shape.horizonSteps; step < (day + 1) * shape.horizonSteps; step++) {
      const { p10, p50, p90 } = steps[step]!;
      const difference = errorShare * (series.values[starts[i]! + step]! - p50);
      ratios.lower.push(-difference / Math.max(p50 - p10, Number.MIN_VALUE));
      ratios.upper.push(difference / Math.max(p90 - p50, Number.MIN_VALUE));
    }
  });
  return ratios;
}

function splitRows(data: Float32Array, rows: number): Float32Array[] {
  const width = data.length / rows;
  return Array.from({ length: rows }, (_, row) => data.slice(row * width, (row + 1) * width));
}

function roundUp(value: number): number {
  return Math.ceil(value * 1000) / 1000;
}
