/** Tiny ONNX models for tests, and folders of a model repository around them. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { int64Constant, type OnnxGraph, type OnnxType, writeOnnx } from '../../models/training/onnx.ts';
import type { ManifestInput } from './manifest.ts';

type Spec = ManifestInput['inputs'][number];

/** A graph whose inputs and outputs are also those of its manifest. */
export interface TestGraph extends Pick<OnnxGraph, 'nodes' | 'constants'> {
  inputs: readonly Spec[];
  outputs: readonly Spec[];
}

/** The bytes of model.onnx for a graph. */
export function encodeModel(graph: TestGraph): Uint8Array {
  const values = (specs: readonly Spec[]) => specs.map((spec) => ({ ...spec, type: spec.type as OnnxType }));
  return writeOnnx({ ...graph, name: 'test', inputs: values(graph.inputs), outputs: values(graph.outputs) });
}

/** values [batch, steps] to doubled [batch, steps] and total [batch, 1]: a padding of 0 changes neither. */
export function doublingGraph(): TestGraph {
  return {
    inputs: [{ name: 'values', type: 'float32', shape: ['batch', 'steps'] }],
    outputs: [
      { name: 'doubled', type: 'float32', shape: ['batch', 'steps'] },
      { name: 'total', type: 'float32', shape: ['batch', 1] },
    ],
    nodes: [
      { operator: 'Add', inputs: ['values', 'values'], outputs: ['doubled'] },
      { operator: 'ReduceSum', inputs: ['values', 'axes'], outputs: ['total'] },
    ],
    constants: [int64Constant('axes', [1])],
  };
}

/** values [batch, steps] to scaled [batch, steps]. */
export function scalingGraph(factor: number): TestGraph {
  const shape: Spec['shape'] = ['batch', 'steps'];
  return {
    inputs: [{ name: 'values', type: 'float32', shape }],
    outputs: [{ name: 'scaled', type: 'float32', shape }],
    nodes: [{ operator: 'Mul', inputs: ['values', 'factor'], outputs: ['scaled'] }],
    constants: [{ name: 'factor', type: 'float32', shape: [1], data: Float32Array.of(factor) }],
  };
}

/** x [batch, 512] through `layers` products with one matrix: 0.5 MFLOP for each row and layer. */
export function heavyGraph(layers: number): TestGraph {
  const size = 512;
  const matrix = Float32Array.from({ length: size * size }, (_, index) => ((index * 7919) % 1000) / 1e6 - 5e-4);
  const name = (layer: number) => (layer === 0 ? 'x' : layer === layers ? 'y' : `h${layer}`);
  return {
    inputs: [{ name: 'x', type: 'float32', shape: ['batch', size] }],
    outputs: [{ name: 'y', type: 'float32', shape: ['batch', size] }],
    nodes: Array.from({ length: layers }, (_, layer) => ({
      operator: 'MatMul',
      inputs: [name(layer), 'matrix'],
      outputs: [name(layer + 1)],
    })),
    constants: [{ name: 'matrix', type: 'float32', shape: [size, size], data: matrix }],
  };
}

/** out equals in, of the given element type and axes. */
export function identityGraph(type: Spec['type'], axes: (number | string)[]): TestGraph {
  const shape: Spec['shape'] = ['batch', ...axes];
  return {
    inputs: [{ name: 'in', type, shape }],
    outputs: [{ name: 'out', type, shape }],
    nodes: [{ operator: 'Identity', inputs: ['in'], outputs: ['out'] }],
    constants: [],
  };
}

export interface TestVersion {
  name: string;
  version: string;
  graph: TestGraph;
  /** Fields of the manifest that differ from what the graph says. */
  manifest?: Partial<ManifestInput>;
  /** Written in place of the graph's bytes, as model.onnx. */
  bytes?: Uint8Array;
}

/** Writes `<directory>/<name>/<version>/` with manifest.json and model.onnx, and answers that folder. */
export async function writeTestVersion(directory: string, version: TestVersion): Promise<string> {
  const bytes = version.bytes ?? encodeModel(version.graph);
  const manifest: ManifestInput = {
    name: version.name,
    version: version.version,
    task: 'SENTIMENT',
    precision: 'FP32',
    deterministic: true,
    inputs: version.graph.inputs,
    outputs: version.graph.outputs,
    licence: 'MIT',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    ...version.manifest,
  };
  const folder = join(directory, version.name, version.version);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'model.onnx'), bytes);
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return folder;
}
