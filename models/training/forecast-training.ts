/** Trains quantile networks on forecast rows, and corrects their bands on rows that they have not seen. */
import { forecastQuantiles } from '../../src/domains/predictions/forecast.ts';
import type { ForecastRows } from './forecast-rows.ts';
import { mean, quantileInPlace } from './metrics.ts';
import { createBatch, createNetwork, createTrainer, type QuantileNetwork, runNetwork } from './quantile-network.ts';
import { createRandom } from './random.ts';

export interface ForecastTraining {
  /** Width of one network's hidden layer. */
  hidden: number;
  epochs: number;
  batchRows: number;
  peakRate: number;
  decay: number;
  seed: number;
}
/** Done so far, of the whole training; 0 to 1. */
export type Progress = (share: number) => void;

const median = 0.5;
const warmUpShare = 0.1;
const predictionRows = 256;

/** Trains one network for each set of rows, one after another, each from its own seed. */
export function trainNetworks(
  rowSets: readonly ForecastRows[],
  training: ForecastTraining,
  onProgress: Progress,
): QuantileNetwork[] {
  return rowSets.map((rows, index) => {
    const progress: Progress = (share) => onProgress((index + share) / rowSets.length);
    return trainOne(rows, { ...training, seed: training.seed + index }, progress);
  });
}

/** The network's outputs for all rows, [count, outputs]. */
export function predictRows(network: QuantileNetwork, rows: ForecastRows): Float32Array {
  const { features: width, outputs } = network;
  const all = new Float32Array(rows.count * outputs);
  const batch = createBatch(network, predictionRows);
  for (let from = 0; from < rows.count; from += predictionRows) {
    const count = Math.min(predictionRows, rows.count - from);
    batch.inputs.set(rows.features.subarray(from * width, (from + count) * width));
    runNetwork(network, batch);
    all.set(batch.outputs.subarray(0, count * outputs), from * outputs);
  }
  return all;
}

/** Rows that a network was not trained on, and by how much its errors there overstate those of the final network. */
export interface HeldOutRows {
  network: QuantileNetwork;
  rows: ForecastRows;
  /** Errors of the final network as a share of this one's. */
  errorShare: number;
}

/**
 * How far the outer quantiles of each step must move, [outputs], to hold the right share of held-out rows (conformal
 * prediction). The median stays.
 */
export function measureOffsets(heldOut: readonly HeldOutRows[]): Float32Array {
  const { network, rows } = heldOut[0]!;
  const predictions = heldOut.map((part) => predictRows(part.network, part.rows));
  return Float32Array.from({ length: network.outputs }, (_, at) => {
    const level = forecastQuantiles[Math.floor(at / rows.shape.horizonSteps)]!;
    if (level === median) return 0;
    const residuals = heldOut.map((part, i) => listResiduals(part, predictions[i]!, at));
    return quantileInPlace(Float64Array.from(residuals.flatMap((part) => [...part])), level);
  });
}

/** Mean absolute error of the network's median, in row scale. */
export function medianError(network: QuantileNetwork, rows: ForecastRows): number {
  const { horizonSteps } = rows.shape;
  const predictions = predictRows(network, rows);
  const first = forecastQuantiles.indexOf(median) * horizonSteps;
  return mean(
    rows.targets.map((target, i) => {
      const [row, step] = [Math.floor(i / horizonSteps), i % horizonSteps];
      return Math.abs(target - predictions[row * network.outputs + first + step]!);
    }),
  );
}

/** Truth minus one output for each row, as the final network would have it. */
function listResiduals(
  { network, rows, errorShare }: HeldOutRows,
  predictions: Float32Array,
  at: number,
): Float64Array {
  const { horizonSteps } = rows.shape;
  const step = at % horizonSteps;
  const medianAt = forecastQuantiles.indexOf(median) * horizonSteps + step;
  return Float64Array.from({ length: rows.count }, (_, row) => {
    const centre = predictions[row * network.outputs + medianAt]!;
    const truth = centre + errorShare * (rows.targets[row * horizonSteps + step]! - centre);
    return truth - predictions[row * network.outputs + at]!;
  });
}

/** Adds offsets to the network's outputs. */
export function shiftOutputs(network: QuantileNetwork, offsets: Float32Array): void {
  for (let i = 0; i < offsets.length; i++) network.outputBias[i]! += offsets[i]!;
}

function trainOne(rows: ForecastRows, training: ForecastTraining, onProgress: Progress): QuantileNetwork {
  const random = createRandom(training.seed);
  const width = rows.features.length / rows.count;
  const { batchRows } = training;
  const network = createNetwork(width, training.hidden, forecastQuantiles.length * rows.shape.horizonSteps, random);
  const trainer = createTrainer(network, batchRows);
  const batch = createBatch(network, batchRows);
  const gradient = new Float32Array(batch.outputs.length);
  const order = Int32Array.from({ length: rows.count }, (_, i) => i);
  const stepsPerEpoch = Math.floor(rows.count / batchRows);
  const steps = stepsPerEpoch * training.epochs;
  for (let step = 0; step < steps; step++) {
    const inEpoch = step % stepsPerEpoch;
    if (inEpoch === 0) random.shuffle(order);
    const chosen = order.subarray(inEpoch * batchRows, (inEpoch + 1) * batchRows);
    chosen.forEach((row, i) => {
      batch.inputs.set(rows.features.subarray(row * width, (row + 1) * width), i * width);
    });
    runNetwork(network, batch);
    writePinballGradient(rows, chosen, batch.outputs, gradient);
    trainer.step(batch, gradient, rateAt(step / steps, training.peakRate), training.decay);
    if (step % 50 === 0) onProgress(step / steps);
  }
  onProgress(1);
  return network;
}

/** Rises over the first tenth, then falls along a cosine. */
function rateAt(share: number, peak: number): number {
  if (share < warmUpShare) return (peak * (share + 0.01)) / (warmUpShare + 0.01);
  return (peak / 2) * (1 + Math.cos((Math.PI * (share - warmUpShare)) / (1 - warmUpShare)));
}

function writePinballGradient(
  rows: ForecastRows,
  chosen: Int32Array,
  outputs: Float32Array,
  gradient: Float32Array,
): void {
  const { horizonSteps } = rows.shape;
  const width = forecastQuantiles.length * horizonSteps;
  for (let i = 0; i < chosen.length; i++) {
    const target = chosen[i]! * horizonSteps;
    for (let at = 0; at < width; at++) {
      const level = forecastQuantiles[Math.floor(at / horizonSteps)]!;
      const isAbove = rows.targets[target + (at % horizonSteps)]! > outputs[i * width + at]!;
      gradient[i * width + at] = (isAbove ? -level : 1 - level) / chosen.length;
    }
  }
}
