import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { scanModelRepository } from '../../src/inference/repository.ts';
import { readModel, writeModel } from './artifact.ts';
import { type OnnxGraph, type OnnxTensor, writeOnnx } from './onnx.ts';
import { createRandom } from './random.ts';
import { listVariants, measureVariants, sampleFeeds, writeVariant } from './variants.ts';

const random = createRandom(3);
const size = { rows: 8, axisSize: 5 };

function weights(name: string, shape: [number, number]): OnnxTensor {
  return {
    name,
    type: 'float32',
    shape,
    data: Float32Array.from({ length: shape[0] * shape[1] }, () => random.gauss()),
  };
}

/** The sum of the rows of some ids where a mask is 1, through a matrix. */
const graph: OnnxGraph = {
  name: 'masked',
  nodes: [
    { operator: 'Gather', inputs: ['table', 'ids'], outputs: ['rows'] },
    { operator: 'Cast', inputs: ['mask'], outputs: ['weights'], attributes: { to: { int: 1 } } },
    { operator: 'Unsqueeze', inputs: ['weights', 'axis'], outputs: ['column'] },
    { operator: 'Mul', inputs: ['rows', 'column'], outputs: ['masked'] },
    { operator: 'MatMul', inputs: ['masked', 'matrix'], outputs: ['y'] },
  ],
  constants: [
    weights('table', [100, 32]),
    weights('matrix', [32, 40]),
    { name: 'axis', type: 'int64', shape: [1], data: BigInt64Array.of(-1n) },
  ],
  inputs: [
    { name: 'ids', type: 'int64', shape: ['batch', 'sequence'] },
    { name: 'mask', type: 'int64', shape: ['batch', 'sequence'] },
  ],
  outputs: [{ name: 'y', type: 'float32', shape: ['batch', 'sequence', 40] }],
};

/** models/masked/1 in a new folder that is deleted after the test. */
function writeMasked(own: OnnxGraph = graph): { models: string; directory: string } {
  const models = mkdtempSync(join(tmpdir(), 'models '));
  onTestFinished(() => rmSync(models, { recursive: true }));
  const directory = join(models, 'masked', '1');
  writeModel(directory, writeOnnx(own), {
    name: 'masked',
    version: '1',
    task: 'TENSOR',
    precision: 'FP32',
    deterministic: true,
    inputs: ['ids', 'mask'].map((name) => ({ name, type: 'int64', shape: ['batch', 'sequence'] })),
    outputs: [{ name: 'y', type: 'float32', shape: ['batch', 'sequence', 40] }],
    options: { kept: [1, 2] },
    metrics: { accuracy: 0.9 },
    licence: 'MIT',
  });
  return { models, directory };
}

describe('writeVariant', () => {
  it('writes versions that the repository reads, beside the FP32 one', async () => {
    const { models, directory } = writeMasked();
    writeVariant(directory, 'FP16');
    expect(writeVariant(directory, 'INT8')).toBe(join(models, 'masked', '1-int8'));
    const { versions, failures } = await scanModelRepository(models);
    expect(failures).toEqual([]);
    expect(versions.map(({ manifest }) => [manifest.version, manifest.precision])).toEqual([
      ['1', 'FP32'],
      ['1-fp16', 'FP16'],
      ['1-int8', 'INT8'],
    ]);
    expect(versions[2]!.manifest).toMatchObject({ task: 'TENSOR', deterministic: true, options: { kept: [1, 2] } });
    // Figures of the FP32 version would be wrong here.
    expect(versions[2]!.manifest.metrics).toEqual({});
  });

  it('refuses a variant of a variant, and a model without anything to make smaller', () => {
    const { directory } = writeMasked();
    const variant = writeVariant(directory, 'INT8');
    expect(() => writeVariant(variant, 'FP16')).toThrow(
      'masked/1-int8: expected a version of precision FP32, got INT8',
    );
    const nodes = [{ operator: 'Identity', inputs: ['ids'], outputs: ['y'] }];
    const other = writeMasked({ ...graph, nodes, constants: [] });
    expect(() => writeVariant(other.directory, 'INT8')).toThrow(/^masked\/1\/model.onnx: nothing to make smaller/);
  });
});

describe('measureVariants', () => {
  it('measures each version against the first', async () => {
    const { directory } = writeMasked();
    writeVariant(directory, 'INT8');
    writeVariant(directory, 'FP16');
    const [base, int8, fp16] = await measureVariants(listVariants(directory), size, 50);
    expect(base).toMatchObject({ difference: 0, aloneSpeed: 1, batchedSpeed: 1 });
    for (const variant of [int8!, fp16!]) {
      expect(variant.difference).toBeGreaterThan(0);
      expect(variant.batchDifference).toBeLessThan(1e-5);
      expect(variant.megabytes).toBeLessThan(base!.megabytes);
      expect(variant.aloneUs).toBeGreaterThan(0);
      expect(variant.batchedSpeed).toBeGreaterThan(0);
    }
    expect(fp16!.difference).toBeLessThan(int8!.difference);
    expect(int8!.manifest.version).toBe('1-int8');
  });

  it('lists only the variants that exist', () => {
    const { directory } = writeMasked();
    expect(listVariants(directory)).toEqual([directory]);
    writeVariant(directory, 'FP16');
    expect(listVariants(directory)).toHaveLength(2);
  });
});

it('samples ids below the table that they are looked up in, and ones where there is none', () => {
  const { directory } = writeMasked();
  const { ids, mask } = sampleFeeds(readModel(directory).manifest, graph, { rows: 50, axisSize: 20 });
  const values = Array.from(ids!.data as BigInt64Array, Number);
  expect(Math.min(...values)).toBe(1);
  expect(Math.max(...values)).toBe(99);
  expect(new Set(mask!.data as BigInt64Array)).toEqual(new Set([1n]));
  expect(ids!.dims).toEqual([50, 20]);
});
