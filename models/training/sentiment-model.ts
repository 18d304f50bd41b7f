/** The sentiment model as ONNX: the graph of a bag network, and rows of ids as its input. */
import { sentimentClasses, tokenizeSentiment } from '../../src/domains/predictions/sentiment.ts';
import type { Feed } from './artifact.ts';
import type { BagNetwork } from './bag-network.ts';
import { int64Constant, type OnnxNode, writeOnnx } from './onnx.ts';

export const sentimentInput = { name: 'input_ids', type: 'int32', shape: ['batch', 'sequence'] } as const;
export const sentimentOutput = {
  name: 'probabilities',
  type: 'float32',
  shape: ['batch', sentimentClasses.length],
} as const;

// Each table row holds an id's embedding times its weight, then the weight. Padding (id 0) is a row of zeros, so a
// text's result does not depend on the length of its batch.
const nodes: readonly OnnxNode[] = [
  { operator: 'Gather', inputs: ['table', 'input_ids'], outputs: ['rows'] },
  { operator: 'ReduceSum', inputs: ['rows', 'axis'], outputs: ['sums'], attributes: { keepdims: { int: 0 } } },
  {
    operator: 'Split',
    inputs: ['sums', 'split_sizes'],
    outputs: ['weighted', 'total'],
    attributes: { axis: { int: 1 } },
  },
  { operator: 'Max', inputs: ['total', 'smallest_total'], outputs: ['divisor'] },
  { operator: 'Div', inputs: ['weighted', 'divisor'], outputs: ['mean'] },
  { operator: 'MatMul', inputs: ['mean', 'weights'], outputs: ['products'] },
  { operator: 'Add', inputs: ['products', 'bias'], outputs: ['logits'] },
  { operator: 'Sigmoid', inputs: ['logits'], outputs: ['probabilities'] },
];

/** Bytes of model.onnx: int32 ids [batch, sequence] -> float32 probabilities [batch, classes]. */
export function exportSentiment(network: BagNetwork): Uint8Array {
  const { dimensions, classes, weights, bias } = network;
  return writeOnnx({
    name: 'sentiment',
    nodes,
    constants: [
      { name: 'table', type: 'float32', shape: [network.gates.length, dimensions + 1], data: joinTable(network) },
      { name: 'weights', type: 'float32', shape: [dimensions, classes], data: weights },
      { name: 'bias', type: 'float32', shape: [classes], data: bias },
      // Below exp(-4), the smallest weight of an id: it only matters for a row of padding alone.
      { name: 'smallest_total', type: 'float32', shape: [], data: Float32Array.of(1e-3) },
      int64Constant('axis', [1]),
      int64Constant('split_sizes', [dimensions, 1]),
    ],
    inputs: [sentimentInput],
    outputs: [sentimentOutput],
  });
}

/** [buckets, dimensions + 1] */
function joinTable(network: BagNetwork): Float32Array {
  const { dimensions, embeddings, gates } = network;
  const width = dimensions + 1;
  const table = new Float32Array(gates.length * width);
  for (let id = 1; id < gates.length; id++) {
    const weight = Math.exp(gates[id]!);
    for (let k = 0; k < dimensions; k++) table[id * width + k] = weight * embeddings[id * dimensions + k]!;
    table[id * width + dimensions] = weight;
  }
  return table;
}

/** The model's input for some texts' ids, padded with 0 to the longest (at least one column). */
export function padIds(rows: readonly Int32Array[]): Feed {
  const length = Math.max(1, ...rows.map((row) => row.length));
  const data = new Int32Array(rows.length * length);
  rows.forEach((row, i) => {
    data.set(row, i * length);
  });
  return { type: 'int32', data, shape: [rows.length, length] };
}

/** The model's input for some texts. */
export function textsFeed(texts: readonly string[]): Feed {
  return padIds(texts.map(tokenizeSentiment));
}
