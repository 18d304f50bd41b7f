import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { writeVariant } from '../../models/training/variants.ts';
import { executionProviders } from './execution-providers.ts';
import { createGpuLock } from './gpu-lock.ts';
import { scanModelRepository } from './repository.ts';
import { closeSession, openSession, ProviderLost, runSession, type SessionSetup } from './session.ts';
import type { BatchTensor } from './tensors.ts';
import { doubling, temporaryFolder } from './testing-engine.ts';
import { identityGraph, type TestGraph, type TestVersion, writeTestVersion } from './testing-model.ts';

async function open(version: TestVersion, setup: Partial<SessionSetup> = {}) {
  const directory = await temporaryFolder();
  await writeTestVersion(directory, version);
  const { versions, failures } = await scanModelRepository(directory);
  expect(failures).toEqual([]);
  const model = await openSession(versions[0]!, { intraOpThreads: 1, ...setup });
  let isOpen = true;
  const close = async () => {
    if (isOpen) await closeSession(model);
    isOpen = false;
  };
  onTestFinished(close);
  return { model, close };
}

const batch = (name: string, dims: number[], ...values: number[]): BatchTensor[] => [
  { name, type: 'float32', dims, data: Float32Array.from(values) },
];

/** out [batch, 2] is in plus the number of rows that ran. */
const countingGraph: TestGraph = {
  ...identityGraph('float32', [2]),
  nodes: [
    { operator: 'Shape', inputs: ['in'], outputs: ['shape'], attributes: { start: { int: 0 }, end: { int: 1 } } },
    { operator: 'Cast', inputs: ['shape'], outputs: ['rows'], attributes: { to: { int: 1 } } },
    { operator: 'Add', inputs: ['in', 'rows'], outputs: ['out'] },
  ],
};
/** One scale of 8 bits for the whole batch, as the standard dynamic quantization has it. */
const batchScaledGraph: TestGraph = {
  ...identityGraph('float32', [4]),
  nodes: [
    { operator: 'DynamicQuantizeLinear', inputs: ['in'], outputs: ['quantized', 'scale', 'zero'] },
    { operator: 'DequantizeLinear', inputs: ['quantized', 'scale', 'zero'], outputs: ['out'] },
  ],
};

describe('allowed batch sizes', () => {
  const manifest = { deterministic: false, maxBatchRows: 8, batchSizes: [2, 8] };
  const counting: TestVersion = { name: 'counting', version: '1', graph: countingGraph, manifest };

  test.each([
    [1, 2],
    [2, 2],
    [3, 8],
    [8, 8],
  ])('%i rows run as %i, and as many come back', async (rows, ran) => {
    const { model } = await open(counting);
    const values = Array.from({ length: rows * 2 }, (_, index) => index);
    const [out] = await runSession(model, batch('in', [rows, 2], ...values));
    expect(out!.dims).toEqual([rows, 2]);
    expect([...(out!.data as Float32Array)]).toEqual(values.map((value) => value + ran));
  });

  test('are not needed on a CPU', async () => {
    const { model } = await open({ ...counting, manifest: { deterministic: false } });
    const [out] = await runSession(model, batch('in', [3, 2], 0, 0, 0, 0, 0, 0));
    expect([...(out!.data as Float32Array)]).toEqual([3, 3, 3, 3, 3, 3]);
  });

  test('are each tried when the model loads', async () => {
    // The last axis holds the rows: two are right, eight are not what the manifest says.
    const graph: TestGraph = {
      ...identityGraph('float32', [2]),
      nodes: [
        { operator: 'Transpose', inputs: ['in'], outputs: ['across'] },
        { operator: 'MatMul', inputs: ['in', 'across'], outputs: ['out'] },
      ],
    };
    await expect(open({ ...counting, graph })).rejects.toThrow(
      /^model.onnx: cannot run 8 rows of zeros: output out: expected \[8, 2\], got \[8, 8\]$/,
    );
  });
});

describe('rows beside other rows', () => {
  const version = (manifest: TestVersion['manifest']): TestVersion => ({
    name: 'scaled',
    version: '1',
    graph: batchScaledGraph,
    ...(manifest && { manifest }),
  });

  test.each(['FP32', 'INT8'] as const)('must not change what a deterministic model says: %s', async (precision) => {
    await expect(open(version({ deterministic: true, precision }))).rejects.toThrow(
      /^manifest.json: deterministic: expected the outputs of a row to be the same beside other rows, got ones of out that differ by 0\.\d+$/,
    );
  });

  test('may change it where the manifest promises nothing, or a batch has one row', async () => {
    expect((await open(version({ deterministic: false }))).model.executionProvider).toBe('cpu');
    expect((await open(version({ deterministic: true, maxBatchRows: 1 }))).model.executionProvider).toBe('cpu');
  });

  test('are not tried where a model refuses anything but zeros', async () => {
    const graph: TestGraph = {
      inputs: [{ name: 'in', type: 'int64', shape: ['batch', 2] }],
      outputs: [{ name: 'out', type: 'float32', shape: ['batch', 2] }],
      nodes: [{ operator: 'Gather', inputs: ['table', 'in'], outputs: ['out'] }],
      constants: [{ name: 'table', type: 'float32', shape: [1], data: Float32Array.of(7) }],
    };
    const { model } = await open({ name: 'one', version: '1', graph });
    const inputs: BatchTensor[] = [{ name: 'in', type: 'int64', dims: [1, 2], data: new BigInt64Array(2) }];
    expect([...((await runSession(model, inputs))[0]!.data as Float32Array)]).toEqual([7, 7]);
  });
});

describe('execution providers', () => {
  test('that are missing leave the next one, at last the CPU', async () => {
    const { model } = await open(doubling, { executionProviders, gpuLock: createGpuLock() });
    // Where there is a GPU, fewer are skipped.
    const skipped = model.skippedProviders.map((line) => line.split(':')[0]);
    expect([...skipped, model.executionProvider]).toEqual(executionProviders.slice(0, skipped.length + 1));
    expect(model.skippedProviders.join('')).not.toContain('\n');
    const [doubled] = await runSession(model, batch('values', [2, 1], 3, 4));
    expect([...(doubled!.data as Float32Array)]).toEqual([6, 8]);
  });

  test('that fail a batch are tried with zeros, and given up when they fail those, too', async () => {
    const { model, close } = await open(doubling);
    const onGpu = { ...model, executionProvider: 'webgpu' as const };
    const wrong = batch('nothing', [1, 1], 1);
    await expect(runSession(onGpu, wrong)).rejects.not.toBeInstanceOf(ProviderLost);
    await close();
    await expect(runSession(onGpu, wrong)).rejects.toBeInstanceOf(ProviderLost);
    await expect(runSession(model, wrong)).rejects.not.toBeInstanceOf(ProviderLost);
  });
});

test('an FP16 variant runs on a CPU, close to the version it was made from', async () => {
  const directory = await temporaryFolder();
  for (const name of ['sentiment', 'energy-forecast']) {
    cpSync(join('models', name, '1'), join(directory, name, '1'), { recursive: true });
    writeVariant(join(directory, name, '1'), 'FP16');
  }
  const { versions, failures } = await scanModelRepository(directory);
  expect(failures).toEqual([]);
  for (const name of ['sentiment', 'energy-forecast']) {
    const outputs: Float32Array[] = [];
    for (const files of versions.filter(({ manifest }) => manifest.name === name)) {
      const model = await openSession(files, { intraOpThreads: 1 });
      onTestFinished(() => closeSession(model));
      const inputs = files.manifest.inputs.map(({ name, type, shape: [, size] }): BatchTensor => {
        const length = typeof size === 'number' ? size : 20;
        const values = Array.from({ length }, (_, index) => (type === 'int32' ? 7 * index : Math.sin(index)));
        const data = type === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
        return { name, type, dims: [1, length], data };
      });
      outputs.push((await runSession(model, inputs))[0]!.data as Float32Array);
    }
    expect(versions.filter(({ manifest }) => manifest.name === name).map(({ manifest }) => manifest.precision)).toEqual(
      ['FP32', 'FP16'],
    );
    const [full, half] = outputs;
    full!.forEach((value, index) => {
      expect(Math.abs(value - half![index]!)).toBeLessThan(0.01 * Math.max(1, Math.abs(value)));
    });
  }
});
