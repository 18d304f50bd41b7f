/** A gated bag of embeddings: the weighted mean of the ids' rows, a linear layer, a sigmoid per class. By AdaGrad. */
import type { Random } from './random.ts';

export interface BagNetwork {
  dimensions: number;
  classes: number;
  /** [buckets, dimensions]; row 0 is padding and stays zero. */
  embeddings: Float32Array;
  /** [buckets]: logarithm of an id's weight in the mean, so that words that matter outweigh the rest. */
  gates: Float32Array;
  /** [dimensions, classes] */
  weights: Float32Array;
  /** [classes] */
  bias: Float32Array;
}

export interface BagExample {
  ids: Int32Array;
  /** [classes], 0 or 1; NaN where unknown. */
  labels: Float32Array;
}

export interface BagTraining {
  /** Learning rate of a pass. */
  rate: number;
  /** Share of texts after which a text of random ids is trained as the given labels. */
  noiseShare: number;
  noiseLabels: Float32Array;
}

/** The weighted mean of a text's rows, with what its gradient needs. */
interface Mean {
  /** [dimensions] */
  values: Float32Array;
  /** [ids], which add up to 1 */
  shares: Float32Array;
}
/** Sums of squared gradients; a bucket's row shares one step size. */
interface Squares {
  embeddings: Float32Array;
  gates: Float32Array;
  weights: Float32Array;
  bias: Float32Array;
}

const outputRateShare = 0.2;
const keptShare = 0.9;
const largestGate = 4;
const longestNoise = 60;

/** A network with small random weights and equal gates. */
export function createBag(buckets: number, dimensions: number, classes: number, random: Random): BagNetwork {
  const embeddings = new Float32Array(buckets * dimensions);
  for (let i = dimensions; i < embeddings.length; i++) embeddings[i] = 0.1 * random.gauss();
  const weights = new Float32Array(dimensions * classes).map(() => 0.2 * random.gauss());
  return {
    dimensions,
    classes,
    embeddings,
    gates: new Float32Array(buckets),
    weights,
    bias: new Float32Array(classes),
  };
}

/** Probabilities [classes] of one text. */
export function runBag(network: BagNetwork, ids: Int32Array): Float32Array {
  return applyOutput(network, averageRows(network, ids).values);
}

/** Returns a function that makes one pass over the examples in random order, leaving out a tenth of each one's ids. */
export function createBagTrainer(network: BagNetwork, random: Random) {
  const squares: Squares = {
    embeddings: new Float32Array(network.gates.length).fill(1e-8),
    gates: new Float32Array(network.gates.length).fill(1e-4),
    weights: new Float32Array(network.weights.length).fill(1e-8),
    bias: new Float32Array(network.bias.length).fill(1e-8),
  };
  return (examples: readonly BagExample[], training: BagTraining): void => {
    const order = Int32Array.from(examples, (_, i) => i);
    random.shuffle(order);
    for (const index of order) {
      const { ids, labels } = examples[index]!;
      const kept = ids.filter((id) => id !== 0 && random.next() < keptShare);
      trainOn(network, squares, kept, labels, training.rate);
      if (random.next() >= training.noiseShare) continue;
      const noise = Int32Array.from({ length: random.integer(longestNoise) }, () => randomId(network, random));
      trainOn(network, squares, noise, training.noiseLabels, training.rate);
    }
  };
}

function randomId(network: BagNetwork, random: Random): number {
  return 1 + random.integer(network.gates.length - 1);
}

function trainOn(network: BagNetwork, squares: Squares, ids: Int32Array, labels: Float32Array, rate: number): void {
  const mean = averageRows(network, ids);
  const errors = applyOutput(network, mean.values).map((probability, c) => {
    const label = labels[c]!;
    return Number.isNaN(label) ? 0 : probability - label;
  });
  const gradient = trainOutput(network, squares, mean.values, errors, rate);
  trainRows(network, squares, ids, mean, gradient, rate);
}

/** Steps the linear layer; returns the loss gradient of the mean row. */
function trainOutput(
  network: BagNetwork,
  squares: Squares,
  mean: Float32Array,
  errors: Float32Array,
  rate: number,
): Float32Array {
  const { dimensions, classes, weights, bias } = network;
  const gradient = new Float32Array(dimensions);
  for (let c = 0; c < classes; c++) {
    const error = errors[c]!;
    for (let k = 0; k < dimensions; k++) {
      const at = k * classes + c;
      gradient[k]! += error * weights[at]!;
      const slope = error * mean[k]!;
      squares.weights[at]! += slope * slope;
      weights[at]! -= (outputRateShare * rate * slope) / Math.sqrt(squares.weights[at]!);
    }
    squares.bias[c]! += error * error;
    bias[c]! -= (outputRateShare * rate * error) / Math.sqrt(squares.bias[c]!);
  }
  return gradient;
}

/** Steps the gates and embeddings of a text's ids. */
function trainRows(
  network: BagNetwork,
  squares: Squares,
  ids: Int32Array,
  mean: Mean,
  gradient: Float32Array,
  rate: number,
): void {
  const { dimensions, embeddings, gates } = network;
  const meanSlope = dot(gradient, 0, mean.values);
  const meanSquare = dot(gradient, 0, gradient) / dimensions;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    const share = mean.shares[i]!;
    const offset = id * dimensions;
    const gateSlope = share * (dot(embeddings, offset, gradient) - meanSlope);
    squares.gates[id]! += gateSlope * gateSlope;
    const gate = gates[id]! - (rate * gateSlope) / Math.sqrt(squares.gates[id]!);
    gates[id] = Math.max(-largestGate, Math.min(largestGate, gate));
    squares.embeddings[id]! += share * share * meanSquare;
    const step = (rate * share) / Math.sqrt(squares.embeddings[id]!);
    for (let k = 0; k < dimensions; k++) embeddings[offset + k]! -= step * gradient[k]!;
  }
}

function averageRows(network: BagNetwork, ids: Int32Array): Mean {
  const { dimensions, embeddings, gates } = network;
  const values = new Float32Array(dimensions);
  const shares = new Float32Array(ids.length);
  let total = 0;
  for (let i = 0; i < ids.length; i++) {
    shares[i] = Math.exp(gates[ids[i]!]!);
    total += shares[i]!;
  }
  for (let i = 0; i < ids.length; i++) {
    shares[i]! /= total;
    const offset = ids[i]! * dimensions;
    for (let k = 0; k < dimensions; k++) values[k]! += shares[i]! * embeddings[offset + k]!;
  }
  return { values, shares };
}

function applyOutput(network: BagNetwork, mean: Float32Array): Float32Array {
  const { dimensions, classes, weights, bias } = network;
  const probabilities = new Float32Array(classes);
  for (let c = 0; c < classes; c++) {
    let logit = bias[c]!;
    for (let k = 0; k < dimensions; k++) logit += mean[k]! * weights[k * classes + c]!;
    probabilities[c] = 1 / (1 + Math.exp(-logit));
  }
  return probabilities;
}

/** Product of a row that starts at an offset with a vector. */
function dot(rows: Float32Array, offset: number, vector: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < vector.length; k++) sum += rows[offset + k]! * vector[k]!;
  return sum;
}
