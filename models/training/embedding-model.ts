/** The embedding model as ONNX: rows of 8-bit integers with a scale each, and rows of ids as its input. */
import { embeddingDimensions, tokenizeEmbedding } from '../../src/domains/predictions/embedding.ts';
import type { Feed } from './artifact.ts';
import type { EmbeddingNetwork } from './embedding-network.ts';
import { int64Constant, type OnnxNode, writeOnnx } from './onnx.ts';
import { padIds } from './sentiment-model.ts';

export const embeddingInput = { name: 'input_ids', type: 'int32', shape: ['batch', 'sequence'] } as const;
export const embeddingOutput = { name: 'embedding', type: 'float32', shape: ['batch', embeddingDimensions] } as const;

/** Rows as 8-bit integers: row i is values[i] times scales[i]. */
export interface QuantizedRows {
  /** [buckets, dimensions] */
  values: Int8Array;
  /** [buckets] */
  scales: Float32Array;
}

const largestInteger = 127;

// Only the weights are integers, and each row has its own scale, so a text's result does not depend on its batch. Padding
// (id 0) is a row of zeros with scale 0.
const nodes: readonly OnnxNode[] = [
  { operator: 'Gather', inputs: ['values', 'input_ids'], outputs: ['integers'] },
  { operator: 'Cast', inputs: ['integers'], outputs: ['floats'], attributes: { to: { int: 1 } } },
  { operator: 'Gather', inputs: ['scales', 'input_ids'], outputs: ['row_scales'] },
  { operator: 'Mul', inputs: ['floats', 'row_scales'], outputs: ['rows'] },
  { operator: 'ReduceSum', inputs: ['rows', 'axis'], outputs: ['sums'], attributes: { keepdims: { int: 0 } } },
  {
    operator: 'LpNormalization',
    inputs: ['sums'],
    outputs: ['embedding'],
    attributes: { axis: { int: -1 }, p: { int: 2 } },
  },
];

/** Bytes of model.onnx: int32 ids [batch, sequence] -> float32 unit vectors [batch, dimensions]. */
export function exportEmbedding(network: EmbeddingNetwork): Uint8Array {
  const { values, scales } = quantizeRows(network);
  const buckets = scales.length;
  return writeOnnx({
    name: 'embedding',
    nodes,
    constants: [
      { name: 'values', type: 'int8', shape: [buckets, network.dimensions], data: values },
      { name: 'scales', type: 'float32', shape: [buckets, 1], data: scales },
      int64Constant('axis', [1]),
    ],
    inputs: [embeddingInput],
    outputs: [{ ...embeddingOutput, shape: ['batch', network.dimensions] }],
  });
}

/** Each row's largest value becomes 127 or -127; a row of zeros has scale 0. */
export function quantizeRows({ dimensions, rows }: EmbeddingNetwork): QuantizedRows {
  const values = new Int8Array(rows.length);
  const scales = new Float32Array(rows.length / dimensions);
  for (let id = 0; id < scales.length; id++) {
    const offset = id * dimensions;
    let largest = 0;
    for (let k = 0; k < dimensions; k++) largest = Math.max(largest, Math.abs(rows[offset + k]!));
    if (largest === 0) continue;
    scales[id] = largest / largestInteger;
    for (let k = 0; k < dimensions; k++)
      values[offset + k] = Math.round((rows[offset + k]! * largestInteger) / largest);
  }
  return { values, scales };
}

/** The network that the exported model is: its rows are the products of integers and scales. */
export function roundNetwork(network: EmbeddingNetwork): EmbeddingNetwork {
  const { values, scales } = quantizeRows(network);
  const rows = Float32Array.from(values, (value, i) => value * scales[Math.floor(i / network.dimensions)]!);
  return { dimensions: network.dimensions, rows };
}

/** The model's input for some texts. */
export function embeddingFeed(texts: readonly string[]): Feed {
  return padIds(texts.map(tokenizeEmbedding));
}
