/** Encoders in the shape of MiniLM with random weights from a seed: as heavy as the real ones, and never in the repository. */
import { join } from 'node:path';
import { writeModel } from './artifact.ts';
import { int64Constant, type OnnxAttribute, type OnnxNode, type OnnxTensor, writeOnnx } from './onnx.ts';
import { createRandom, type Random } from './random.ts';

export interface EncoderShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly intermediate: number;
  /** Ids lie in 1..vocabulary-1; 0 is padding. */
  readonly vocabulary: number;
  /** Most ids of one row. */
  readonly positions: number;
}

/** MiniLM-L6 without its pooler, which sentence embeddings leave out: 22.6 million weights, 90 MB. */
export const miniLmL6: EncoderShape = {
  layers: 6,
  hidden: 384,
  heads: 12,
  intermediate: 1_536,
  vocabulary: 30_522,
  positions: 512,
};

/** The same in small, 0.8 million weights: heavy enough that the model is the bottleneck and not the thread that asks. */
export const smallEncoder: EncoderShape = {
  layers: 2,
  hidden: 128,
  heads: 4,
  intermediate: 512,
  vocabulary: 4_096,
  positions: 128,
};

export const encoderInput = { name: 'input_ids', type: 'int32', shape: ['batch', 'sequence'] } as const;
export const encoderOutputName = 'embedding';

/** Bytes of model.onnx: int32 ids [batch, sequence], 0 = padding, to unit vectors [batch, hidden]. Equal seeds, equal bytes. */
export function generateEncoder(shape: EncoderShape, seed: number): Uint8Array {
  const graph = new GraphBuilder(createRandom(seed));
  const mask = graph.add('Cast', ['input_ids'], { to: { int: 9 } }); // to bool: every id but padding
  const weights = graph.add('Cast', [mask], { to: { int: 1 } }); // and to float32
  let states = addEmbeddings(graph, shape);
  const bias = addAttentionBias(graph, weights);
  for (let layer = 0; layer < shape.layers; layer++) {
    states = addAttention(graph, shape, states, bias);
    states = addFeedForward(graph, shape, states);
  }
  addPooling(graph, states, weights);
  return writeOnnx({
    name: 'encoder',
    nodes: graph.nodes,
    constants: graph.constants,
    inputs: [encoderInput],
    outputs: [{ name: encoderOutputName, type: 'float32', shape: ['batch', shape.hidden] }],
  });
}

export interface EncoderVersion {
  readonly name: string;
  readonly shape: EncoderShape;
  readonly maxBatchRows: number;
}

/** Generates `<directory>/<name>/1/` with model.onnx and manifest.json. */
export function writeEncoderVersion(directory: string, { name, shape, maxBatchRows }: EncoderVersion): void {
  writeModel(join(directory, name, '1'), generateEncoder(shape, 42), {
    name,
    version: '1',
    description: 'An encoder with random weights, for benchmarks.',
    task: 'EMBEDDING',
    precision: 'FP32',
    deterministic: true,
    inputs: [encoderInput],
    outputs: [{ name: encoderOutputName, type: 'float32', shape: ['batch', shape.hidden] }],
    maxBatchRows,
    raggedRows: 'pad',
    licence: 'MIT',
  });
}

class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly constants: OnnxTensor[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Adds a node and answers the name of its output. */
  add(operator: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): string {
    const output = `t${this.nodes.length}`;
    this.nodes.push({ operator, inputs, outputs: [output], attributes });
    return output;
  }

  /** Adds the node whose output has a name. */
  addNamed(output: string, operator: string, inputs: readonly string[]): void {
    this.nodes.push({ operator, inputs, outputs: [output] });
  }

  /** A float32 constant of random values around 0, uniform, with that standard deviation. */
  random(shape: readonly number[], deviation: number): string {
    const limit = deviation * Math.sqrt(3);
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let at = 0; at < data.length; at++) data[at] = (this.#random.next() * 2 - 1) * limit;
    return this.#constant(shape, data);
  }

  /** A float32 constant of one value. */
  filled(shape: readonly number[], value: number): string {
    return this.#constant(shape, new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(value));
  }

  integers(...values: readonly number[]): string {
    const name = `c${this.constants.length}`;
    this.constants.push(int64Constant(name, values));
    return name;
  }

  /** x times weights plus bias, over the last axis. */
  linear(x: string, from: number, to: number): string {
    const product = this.add('MatMul', [x, this.random([from, to], 1 / Math.sqrt(from))]);
    return this.add('Add', [product, this.filled([to], 0)]);
  }

  normalize(x: string, size: number): string {
    return this.add('LayerNormalization', [x, this.filled([size], 1), this.filled([size], 0)], {
      axis: { int: -1 },
      epsilon: { float: 1e-12 },
    });
  }

  #constant(shape: readonly number[], data: Float32Array): string {
    const name = `c${this.constants.length}`;
    this.constants.push({ name, type: 'float32', shape, data });
    return name;
  }
}

function addEmbeddings(graph: GraphBuilder, { vocabulary, positions, hidden }: EncoderShape): string {
  const words = graph.add('Gather', [graph.random([vocabulary, hidden], 0.05), 'input_ids']);
  const length = graph.add('Slice', [
    graph.add('Shape', ['input_ids']),
    graph.integers(1),
    graph.integers(2),
    graph.integers(0),
  ]);
  const places = graph.add('Slice', [
    graph.random([positions, hidden], 0.05),
    graph.integers(0),
    length,
    graph.integers(0),
  ]);
  return graph.normalize(graph.add('Add', [words, places]), hidden);
}

/** 0 for an id and -10,000 for padding, whose share of the attention is then exactly 0: [batch, 1, 1, sequence]. */
function addAttentionBias(graph: GraphBuilder, weights: string): string {
  const broadcast = graph.add('Unsqueeze', [weights, graph.integers(1, 2)]);
  return graph.add('Mul', [graph.add('Sub', [broadcast, graph.filled([], 1)]), graph.filled([], 10_000)]);
}

function addAttention(graph: GraphBuilder, { hidden, heads }: EncoderShape, x: string, bias: string): string {
  const split = graph.integers(0, 0, heads, hidden / heads);
  const project = (...perm: readonly number[]) =>
    graph.add('Transpose', [graph.add('Reshape', [graph.linear(x, hidden, hidden), split])], { perm: { ints: perm } });
  const queries = project(0, 2, 1, 3);
  const keys = project(0, 2, 3, 1);
  const values = project(0, 2, 1, 3);
  const scale = graph.filled([], 1 / Math.sqrt(hidden / heads));
  const scores = graph.add('Add', [graph.add('Mul', [graph.add('MatMul', [queries, keys]), scale]), bias]);
  const shares = graph.add('Softmax', [scores], { axis: { int: -1 } });
  const mixed = graph.add('Transpose', [graph.add('MatMul', [shares, values])], { perm: { ints: [0, 2, 1, 3] } });
  const joined = graph.add('Reshape', [mixed, graph.integers(0, 0, hidden)]);
  return graph.normalize(graph.add('Add', [graph.linear(joined, hidden, hidden), x]), hidden);
}

function addFeedForward(graph: GraphBuilder, { hidden, intermediate }: EncoderShape, x: string): string {
  const wide = graph.linear(x, hidden, intermediate);
  // GELU, in the form that ONNX Runtime knows to run as one operator.
  const erf = graph.add('Erf', [graph.add('Div', [wide, graph.filled([], Math.SQRT2)])]);
  const doubled = graph.add('Mul', [wide, graph.add('Add', [erf, graph.filled([], 1)])]);
  const active = graph.add('Mul', [doubled, graph.filled([], 0.5)]);
  return graph.normalize(graph.add('Add', [graph.linear(active, intermediate, hidden), x]), hidden);
}

/** The mean over all ids but padding, as a unit vector. A row of padding alone gives zeros. */
function addPooling(graph: GraphBuilder, states: string, weights: string): void {
  const kept = graph.add('Mul', [states, graph.add('Unsqueeze', [weights, graph.integers(2)])]);
  const keepDims = { keepdims: { int: 1 } };
  const sum = graph.add('ReduceSum', [kept, graph.integers(1)], { keepdims: { int: 0 } });
  const count = graph.add('Max', [graph.add('ReduceSum', [weights, graph.integers(1)], keepDims), graph.filled([], 1)]);
  const mean = graph.add('Div', [sum, count]);
  const length = graph.add('ReduceL2', [mean], { axes: { ints: [1] }, ...keepDims });
  graph.addNamed(encoderOutputName, 'Div', [mean, graph.add('Max', [length, graph.filled([], 1e-12)])]);
}
