/** Two ways from features to outputs, added: one hidden layer with ReLU, and a linear map. Trained by Adam. */
import { type AdamParameter, createAdamParameter, stepAdam } from './adam.ts';
import { multiplyAdd, transpose } from './matrix.ts';
import type { Random } from './random.ts';

export interface QuantileNetwork {
  features: number;
  hidden: number;
  outputs: number;
  /** [features, hidden] */
  inputWeights: Float32Array;
  /** [hidden] */
  hiddenBias: Float32Array;
  /** [hidden, outputs] */
  outputWeights: Float32Array;
  /** [features, outputs] */
  skipWeights: Float32Array;
  /** [outputs] */
  outputBias: Float32Array;
}

/** Inputs and results of one batch; allocated once. */
export interface QuantileBatch {
  rows: number;
  /** [rows, features] */
  inputs: Float32Array;
  /** [rows, hidden], after ReLU */
  hidden: Float32Array;
  /** [rows, outputs] */
  outputs: Float32Array;
}

export interface QuantileTrainer {
  network: QuantileNetwork;
  /** Steps the network given the loss gradient [rows, outputs] of the last runNetwork on the batch. */
  step(batch: QuantileBatch, outputGradient: Float32Array, rate: number, decay: number): void;
}

/** A network with random weights; the linear map starts at zero. */
export function createNetwork(features: number, hidden: number, outputs: number, random: Random): QuantileNetwork {
  const inputScale = Math.sqrt(2 / features);
  const uniform = (length: number, scale: number) =>
    new Float32Array(length).map(() => (2 * random.next() - 1) * scale);
  return {
    features,
    hidden,
    outputs,
    inputWeights: uniform(features * hidden, inputScale),
    hiddenBias: new Float32Array(hidden),
    outputWeights: new Float32Array(hidden * outputs),
    skipWeights: new Float32Array(features * outputs),
    outputBias: new Float32Array(outputs),
  };
}

/** Room for batches of up to `rows` rows. */
export function createBatch(network: QuantileNetwork, rows: number): QuantileBatch {
  return {
    rows,
    inputs: new Float32Array(rows * network.features),
    hidden: new Float32Array(rows * network.hidden),
    outputs: new Float32Array(rows * network.outputs),
  };
}

/** Fills the batch's hidden and outputs from its inputs. */
export function runNetwork(network: QuantileNetwork, batch: QuantileBatch): void {
  const { rows, inputs, hidden, outputs } = batch;
  for (let row = 0; row < rows; row++) {
    hidden.set(network.hiddenBias, row * network.hidden);
    outputs.set(network.outputBias, row * network.outputs);
  }
  multiplyAdd(inputs, network.inputWeights, hidden, rows, network.features, network.hidden);
  for (let i = 0; i < hidden.length; i++) if (hidden[i]! < 0) hidden[i] = 0;
  multiplyAdd(hidden, network.outputWeights, outputs, rows, network.hidden, network.outputs);
  multiplyAdd(inputs, network.skipWeights, outputs, rows, network.features, network.outputs);
}

/** Trains a network in place. */
export function createTrainer(network: QuantileNetwork, rows: number): QuantileTrainer {
  const { features, hidden, outputs } = network;
  const parameters = {
    inputWeights: createAdamParameter(network.inputWeights),
    hiddenBias: createAdamParameter(network.hiddenBias),
    outputWeights: createAdamParameter(network.outputWeights),
    skipWeights: createAdamParameter(network.skipWeights),
    outputBias: createAdamParameter(network.outputBias),
  };
  const turnedInputs = new Float32Array(features * rows);
  const turnedHidden = new Float32Array(hidden * rows);
  const turnedWeights = new Float32Array(outputs * hidden);
  const hiddenGradient = new Float32Array(rows * hidden);
  let steps = 0;
  return {
    network,
    step(batch, outputGradient, rate, decay) {
      transpose(batch.inputs, turnedInputs, rows, features);
      transpose(batch.hidden, turnedHidden, rows, hidden);
      transpose(network.outputWeights, turnedWeights, hidden, outputs);
      multiplyAdd(turnedHidden, outputGradient, parameters.outputWeights.gradient, hidden, rows, outputs);
      multiplyAdd(turnedInputs, outputGradient, parameters.skipWeights.gradient, features, rows, outputs);
      addRows(outputGradient, parameters.outputBias.gradient);
      hiddenGradient.fill(0);
      multiplyAdd(outputGradient, turnedWeights, hiddenGradient, rows, outputs, hidden);
      for (let i = 0; i < hiddenGradient.length; i++) if (batch.hidden[i] === 0) hiddenGradient[i] = 0;
      multiplyAdd(turnedInputs, hiddenGradient, parameters.inputWeights.gradient, features, rows, hidden);
      addRows(hiddenGradient, parameters.hiddenBias.gradient);
      steps++;
      for (const parameter of Object.values(parameters)) stepAdam(parameter, steps, rate, decay);
    },
  };
}

/** One network whose outputs are the mean of the given networks' (all of the same shape). */
export function averageNetworks(networks: readonly QuantileNetwork[]): QuantileNetwork {
  const [first] = networks;
  if (first === undefined) throw new Error('expected at least one network');
  const { features, hidden, outputs } = first;
  const count = networks.length;
  const wide: QuantileNetwork = {
    features,
    hidden: hidden * count,
    outputs,
    inputWeights: new Float32Array(features * hidden * count),
    hiddenBias: new Float32Array(hidden * count),
    outputWeights: new Float32Array(hidden * count * outputs),
    skipWeights: new Float32Array(features * outputs),
    outputBias: new Float32Array(outputs),
  };
  networks.forEach((network, index) => {
    for (let row = 0; row < features; row++) {
      const source = network.inputWeights.subarray(row * hidden, (row + 1) * hidden);
      wide.inputWeights.set(source, row * wide.hidden + index * hidden);
    }
    wide.hiddenBias.set(network.hiddenBias, index * hidden);
    const share = network.outputWeights.map((weight) => weight / count);
    wide.outputWeights.set(share, index * hidden * outputs);
    for (let i = 0; i < wide.skipWeights.length; i++) wide.skipWeights[i]! += network.skipWeights[i]! / count;
    for (let i = 0; i < outputs; i++) wide.outputBias[i]! += network.outputBias[i]! / count;
  });
  return wide;
}

function addRows(matrix: Float32Array, sums: AdamParameter['gradient']): void {
  for (let i = 0; i < matrix.length; i++) sums[i % sums.length]! += matrix[i]!;
}
