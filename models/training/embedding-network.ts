/** A bag of embeddings: the unit vector of the sum of the ids' rows, trained so that texts of one label are near. */
import type { Random } from './random.ts';

export interface EmbeddingNetwork {
  dimensions: number;
  /** [buckets, dimensions]; row 0 is padding and stays zero. */
  rows: Float32Array;
}

export interface EmbeddingExample {
  ids: Int32Array;
  label: string;
}

/** A batch of training texts: two of each drawn label, so that every text has another of its kind. */
interface Batch {
  ids: Int32Array[];
  labels: string[];
}

const batchRows = 64;
const keptShare = 0.9;
const temperature = 0.1;

/**
 * A random projection: every id has a row of its own, as long as its weight. Even untrained, the cosine of two texts is
 * about that of their weighted bags of ids; training only moves the ids that it meets.
 */
export function createEmbedding(weights: Float64Array, dimensions: number, random: Random): EmbeddingNetwork {
  const rows = new Float32Array(weights.length * dimensions);
  for (let i = dimensions; i < rows.length; i++) {
    rows[i] = 0.1 * random.gauss() * weights[Math.floor(i / dimensions)]!;
  }
  return { dimensions, rows };
}

/** The unit vector [dimensions] of one text; zeros for padding alone. */
export function runEmbedding(network: EmbeddingNetwork, ids: Int32Array): Float32Array {
  const vector = new Float32Array(network.dimensions);
  embedInto(network, ids, vector);
  return vector;
}

/**
 * Returns a function that trains as many texts as there are examples, at a rate: pairs of one label, drawn evenly over
 * labels, against the other pairs of their batch (supervised contrastive loss). A tenth of each text's ids is left out.
 */
export function createContrastiveTrainer(
  network: EmbeddingNetwork,
  examples: readonly EmbeddingExample[],
  random: Random,
) {
  const byLabel = [...Map.groupBy(examples, (example) => example.label).values()];
  // AdaGrad: sums of squared gradients; a bucket's row shares one step size.
  const squares = new Float32Array(network.rows.length / network.dimensions).fill(1e-6);
  return (rate: number): void => {
    for (let batch = 0; batch < Math.floor(examples.length / batchRows); batch++) {
      trainOn(network, squares, drawBatch(byLabel, random), rate);
    }
  };
}

function drawBatch(byLabel: readonly (readonly EmbeddingExample[])[], random: Random): Batch {
  const batch: Batch = { ids: [], labels: [] };
  for (let pair = 0; pair < batchRows / 2; pair++) {
    const group = byLabel[random.integer(byLabel.length)]!;
    for (let i = 0; i < 2; i++) {
      const { ids, label } = group[random.integer(group.length)]!;
      batch.ids.push(ids.filter(() => random.next() < keptShare));
      batch.labels.push(label);
    }
  }
  return batch;
}

function trainOn(network: EmbeddingNetwork, squares: Float32Array, { ids, labels }: Batch, rate: number): void {
  const { dimensions, rows } = network;
  const vectors = ids.map(() => new Float32Array(dimensions));
  const lengths = ids.map((row, i) => embedInto(network, row, vectors[i]!));
  const gradients = contrast(vectors, labels);
  for (const [i, gradient] of gradients.entries()) {
    const meanSquare = throughUnitLength(gradient, vectors[i]!, lengths[i]!);
    for (const id of ids[i]!) {
      squares[id]! += meanSquare;
      const step = rate / Math.sqrt(squares[id]!);
      const offset = id * dimensions;
      for (let k = 0; k < dimensions; k++) rows[offset + k]! -= step * gradient[k]!;
    }
  }
}

/** Writes the unit vector of some ids; returns the length of their sum, 1 for no length at all. */
function embedInto({ dimensions, rows }: EmbeddingNetwork, ids: Int32Array, vector: Float32Array): number {
  for (const id of ids) {
    const offset = id * dimensions;
    for (let k = 0; k < dimensions; k++) vector[k]! += rows[offset + k]!;
  }
  const length = Math.sqrt(product(vector, vector)) || 1;
  for (let k = 0; k < dimensions; k++) vector[k]! /= length;
  return length;
}

/** Gradients of the contrastive loss at the unit vectors of a batch. */
function contrast(vectors: readonly Float32Array[], labels: readonly string[]): Float32Array[] {
  const gradients = vectors.map((vector) => new Float32Array(vector.length));
  for (const [i, vector] of vectors.entries()) {
    const gradient = gradients[i]!;
    const scores = vectors.map((other, j) =>
      j === i ? Number.NEGATIVE_INFINITY : product(vector, other) / temperature,
    );
    const largest = Math.max(...scores);
    const shares = scores.map((score) => Math.exp(score - largest));
    const total = shares.reduce((sum, share) => sum + share, 0);
    const positives = labels.filter((label) => label === labels[i]).length - 1;
    for (const [j, other] of vectors.entries()) {
      if (j === i) continue;
      const wanted = labels[j] === labels[i] ? 1 / positives : 0;
      const slope = (shares[j]! / total - wanted) / temperature / vectors.length;
      for (let k = 0; k < vector.length; k++) {
        gradient[k]! += slope * other[k]!;
        gradients[j]![k]! += slope * vector[k]!;
      }
    }
  }
  return gradients;
}

/** Turns the gradient of a unit vector into that of the sum before; returns its mean square. */
function throughUnitLength(gradient: Float32Array, vector: Float32Array, length: number): number {
  const along = product(gradient, vector);
  for (let k = 0; k < vector.length; k++) gradient[k] = (gradient[k]! - along * vector[k]!) / length;
  return product(gradient, gradient) / vector.length;
}

function product(first: Float32Array, second: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < first.length; k++) sum += first[k]! * second[k]!;
  return sum;
}
