/**
 * Graphs of lower precision. FP16: large weights are stored as float16. INT8: tables are stored as int8 with a scale for
 * each row, and matrix products are computed on int8 weights and activations with a scale for each row of activations,
 * so that a row's result does not depend on the rows beside it.
 */
import { type OnnxAttribute, type OnnxGraph, type OnnxNode, type OnnxTensor, onnxTypes } from './onnx.ts';

export type VariantPrecision = 'INT8' | 'FP16';

export interface QuantizedGraph {
  graph: OnnxGraph;
  /** Names of the weights that are smaller now. */
  weights: readonly string[];
}

// Smaller weights save nothing, and their error would be kept.
const smallestWeights = 1_024;
const largestFloat16 = 65_504;
const levels = 127;
// Activations have seven bits: on CPUs without int8 dot products sums of two products saturate at 16 bits, and
// 2 * 127 * 127 is less. With seven bits in the weights instead, the forecaster's mean error was 1.5 times as large.
const activationLevels = 63;
const activationZero = 64;

/** The graph in another precision. Throws an Error of one line when nothing in it can be made smaller. */
export function quantizeGraph(graph: OnnxGraph, precision: VariantPrecision): QuantizedGraph {
  const rewriter = new Rewriter(graph);
  for (const node of graph.nodes) {
    if (precision === 'INT8') rewriter.addInt8(node);
    else rewriter.addFloat16(node);
  }
  if (rewriter.weights.size === 0) {
    const operators = [...new Set(graph.nodes.map(({ operator }) => operator))].join(', ');
    throw new Error(
      `nothing to make smaller: expected a Gather, MatMul or Gemm with at least ${smallestWeights} float32 weights, got ${operators}`,
    );
  }
  return { graph: rewriter.toGraph(), weights: [...rewriter.weights] };
}

class Rewriter {
  readonly weights = new Set<string>();
  readonly #graph: OnnxGraph;
  readonly #constants: Map<string, OnnxTensor>;
  readonly #nodes: OnnxNode[] = [];
  /** Names of values that are made once for several nodes. */
  readonly #made = new Set<string>();

  constructor(graph: OnnxGraph) {
    this.#graph = graph;
    this.#constants = new Map(graph.constants.map((constant) => [constant.name, constant]));
  }

  addFloat16(node: OnnxNode): void {
    const table = this.#tableOf(node);
    const weights = this.#weightsOf(node);
    if (table !== undefined) this.#gatherFloat16(node, table);
    else if (weights !== undefined) this.#multiplyFloat16(node, weights);
    else this.#add(node);
  }

  addInt8(node: OnnxNode): void {
    const table = this.#tableOf(node);
    const weights = this.#weightsOf(node);
    if (table !== undefined) this.#gatherInt8(node, table);
    else if (weights !== undefined) this.#multiplyInt8(node, weights);
    else this.#add(node);
  }

  /** Without the constants that no node uses any more. */
  toGraph(): OnnxGraph {
    const used = new Set([
      ...this.#nodes.flatMap(({ inputs }) => inputs),
      ...this.#graph.outputs.map(({ name }) => name),
    ]);
    const constants = [...this.#constants.values()].filter(({ name }) => used.has(name));
    return { ...this.#graph, nodes: this.#nodes, constants };
  }

  // Only the rows that were asked for become float32.
  #gatherFloat16(node: OnnxNode, table: OnnxTensor): void {
    const [output] = node.outputs as [string];
    const small = this.#storeFloat16(table);
    this.#add({ ...node, inputs: [small, node.inputs[1]!], outputs: [`${output}_float16`] });
    this.#add({ ...cast(`${output}_float16`, 'float32'), outputs: [output] });
  }

  #multiplyFloat16(node: OnnxNode, weights: OnnxTensor): void {
    const name = `${weights.name}_float32`;
    if (this.#isNew(name)) this.#add({ ...cast(this.#storeFloat16(weights), 'float32'), outputs: [name] });
    this.#add({ ...node, inputs: node.inputs.map((input) => (input === weights.name ? name : input)) });
  }

  #gatherInt8(node: OnnxNode, table: OnnxTensor): void {
    const [output] = node.outputs as [string];
    const indices = node.inputs[1]!;
    const { name } = table;
    if (this.#isNew(`${name}_int8`)) {
      const [rows, columns] = table.shape as [number, number];
      const { values, scales } = quantizeLines(table.data as Float32Array, { rows, columns, along: 'row' });
      this.#store({ name: `${name}_int8`, type: 'int8', shape: table.shape, data: values });
      this.#store({ name: `${name}_scales`, type: 'float32', shape: [rows, 1], data: scales });
      this.weights.add(name);
    }
    this.#add({ ...node, inputs: [`${name}_int8`, indices], outputs: [`${output}_int8`] });
    this.#add({ ...node, inputs: [`${name}_scales`, indices], outputs: [`${output}_scales`] });
    this.#add({ ...cast(`${output}_int8`, 'float32'), outputs: [`${output}_levels`] });
    this.#add({ operator: 'Mul', inputs: [`${output}_levels`, `${output}_scales`], outputs: [output] });
  }

  #multiplyInt8(node: OnnxNode, weights: OnnxTensor): void {
    const [output] = node.outputs as [string];
    const [input, , bias] = node.inputs as [string, string, string | undefined];
    const stored = this.#storeInt8(node, weights);
    const rows = this.#quantizeRows(input);
    const scaled = bias === undefined ? output : `${output}_product`;
    const products = { inputs: [rows.values, stored.values, rows.zero], outputs: [`${output}_int32`] };
    this.#add({ operator: 'MatMulInteger', ...products });
    this.#add({ ...cast(`${output}_int32`, 'float32'), outputs: [`${output}_sums`] });
    // Two products, in this order: ONNX Runtime 1.30 computes a wrong result when the scales are multiplied first.
    this.#add({ operator: 'Mul', inputs: [`${output}_sums`, stored.scales], outputs: [`${output}_columns`] });
    this.#add({ operator: 'Mul', inputs: [`${output}_columns`, rows.scales], outputs: [scaled] });
    if (bias !== undefined) this.#add({ operator: 'Add', inputs: [scaled, bias], outputs: [output] });
  }

  /** Each row of the last axis as uint8 around its middle, once for all nodes that multiply it. */
  #quantizeRows(input: string): { values: string; scales: string; zero: string } {
    const name = (part: string) => `${input}_rows_${part}`;
    const names = { values: name('uint8'), scales: name('scales'), zero: 'activation_zero' };
    if (!this.#isNew(names.values)) return names;
    if (this.#isNew(names.zero)) {
      this.#store({ name: names.zero, type: 'uint8', shape: [], data: Uint8Array.of(activationZero) });
      this.#storeNumber('activation_levels', activationLevels);
      this.#storeNumber('activation_shift', activationZero);
      this.#storeNumber('smallest_scale', 1e-30); // a row of zeros stays zeros
    }
    const lastAxis = { axes: { ints: [-1] } };
    this.#add({ operator: 'Abs', inputs: [input], outputs: [name('sizes')] });
    this.#add({ operator: 'ReduceMax', inputs: [name('sizes')], outputs: [name('largest')], attributes: lastAxis });
    this.#add({ operator: 'Div', inputs: [name('largest'), 'activation_levels'], outputs: [name('steps')] });
    this.#add({ operator: 'Max', inputs: [name('steps'), 'smallest_scale'], outputs: [names.scales] });
    this.#add({ operator: 'Div', inputs: [input, names.scales], outputs: [name('parts')] });
    this.#add({ operator: 'Round', inputs: [name('parts')], outputs: [name('levels')] });
    this.#add({ operator: 'Add', inputs: [name('levels'), 'activation_shift'], outputs: [name('shifted')] });
    this.#add({ ...cast(name('shifted'), 'uint8'), outputs: [names.values] });
    return names;
  }

  #storeInt8(node: OnnxNode, weights: OnnxTensor): { values: string; scales: string } {
    const isTurned = intOf(node, 'transB') === 1;
    const names = { values: `${weights.name}_int8`, scales: `${weights.name}_scales` };
    if (isTurned) for (const key of ['values', 'scales'] as const) names[key] += '_turned';
    if (!this.#isNew(names.values)) return names;
    const [first, second] = weights.shape as [number, number];
    const [rows, columns] = isTurned ? [second, first] : [first, second];
    const data = weights.data as Float32Array;
    const matrix = isTurned ? transpose(data, first, second) : data;
    const { values, scales } = quantizeLines(matrix, { rows, columns, along: 'column' });
    this.#store({ name: names.values, type: 'int8', shape: [rows, columns], data: values });
    this.#store({ name: names.scales, type: 'float32', shape: [columns], data: scales });
    this.weights.add(weights.name);
    return names;
  }

  #storeFloat16({ name, shape, data }: OnnxTensor): string {
    const small = `${name}_float16`;
    if (!this.#isNew(small)) return small;
    const values = data as Float32Array;
    if (values.some((value) => Math.abs(value) > largestFloat16)) {
      throw new Error(`tensor ${name}: expected weights up to ${largestFloat16}, which float16 can hold`);
    }
    this.#store({ name: small, type: 'float16', shape, data: Float16Array.from(values) });
    this.weights.add(name);
    return small;
  }

  #storeNumber(name: string, value: number): void {
    this.#store({ name, type: 'float32', shape: [], data: Float32Array.of(value) });
  }

  #store(constant: OnnxTensor): void {
    this.#constants.set(constant.name, constant);
  }

  #add(node: OnnxNode): void {
    this.#nodes.push(node);
  }

  #isNew(name: string): boolean {
    if (this.#made.has(name)) return false;
    this.#made.add(name);
    return true;
  }

  #tableOf(node: OnnxNode): OnnxTensor | undefined {
    if (node.operator !== 'Gather' || intOf(node, 'axis') !== 0) return undefined;
    return this.#largeMatrix(node.inputs[0]!);
  }

  #weightsOf(node: OnnxNode): OnnxTensor | undefined {
    if (node.operator !== 'MatMul' && !isPlainGemm(node)) return undefined;
    return this.#largeMatrix(node.inputs[1]!);
  }

  #largeMatrix(name: string): OnnxTensor | undefined {
    const constant = this.#constants.get(name);
    if (constant?.type !== 'float32' || constant.shape.length !== 2) return undefined;
    return constant.shape[0]! * constant.shape[1]! >= smallestWeights ? constant : undefined;
  }
}

/** int8 levels of a matrix, with a scale for each row or each column. */
function quantizeLines(
  data: Float32Array,
  { rows, columns, along }: { rows: number; columns: number; along: 'row' | 'column' },
): { values: Int8Array; scales: Float32Array } {
  const lineOf = (index: number) => (along === 'row' ? Math.floor(index / columns) : index % columns);
  const scales = new Float32Array(along === 'row' ? rows : columns);
  data.forEach((value, index) => {
    const line = lineOf(index);
    scales[line] = Math.max(scales[line]!, Math.abs(value) / levels);
  });
  const values = Int8Array.from(data, (value, index) => {
    const scale = scales[lineOf(index)]!;
    return scale === 0 ? 0 : Math.max(-levels, Math.min(levels, Math.round(value / scale)));
  });
  return { values, scales };
}

function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(data, (_, index) => data[(index % rows) * columns + Math.floor(index / rows)]!);
}

function cast(input: string, type: keyof typeof onnxTypes): Omit<OnnxNode, 'outputs'> {
  return { operator: 'Cast', inputs: [input], attributes: { to: { int: onnxTypes[type] } } };
}

/** x times weights, plus bias. */
function isPlainGemm(node: OnnxNode): boolean {
  if (node.operator !== 'Gemm' || intOf(node, 'transA') !== 0) return false;
  return ['alpha', 'beta'].every((name) => {
    const attribute = node.attributes?.[name];
    return attribute === undefined || ('float' in attribute && attribute.float === 1);
  });
}

function intOf({ attributes }: OnnxNode, name: string): number {
  const attribute: OnnxAttribute | undefined = attributes?.[name];
  return attribute !== undefined && 'int' in attribute ? attribute.int : 0;
}
