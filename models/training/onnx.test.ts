import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { openSession, runSession } from './artifact.ts';
import { int64Constant, type OnnxGraph, writeOnnx } from './onnx.ts';

/** y = half of x times the weights, turned over: every kind of attribute, and two of constants. */
const graph: OnnxGraph = {
  name: 'test',
  nodes: [
    {
      operator: 'Gemm',
      inputs: ['x', 'weights'],
      outputs: ['product'],
      attributes: { alpha: { float: 0.5 }, transB: { int: 1 } },
    },
    { operator: 'Reshape', inputs: ['product', 'shape'], outputs: ['row'] },
    { operator: 'Transpose', inputs: ['row'], outputs: ['y'], attributes: { perm: { ints: [0, 2, 1] } } },
  ],
  constants: [
    { name: 'weights', type: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    int64Constant('shape', [-1, 1, 2]),
  ],
  inputs: [{ name: 'x', type: 'float32', shape: ['batch', 3] }],
  outputs: [{ name: 'y', type: 'float32', shape: ['batch', 2, 1] }],
};

describe('writeOnnx', () => {
  it('writes a model that ONNX Runtime loads and runs for any batch', async () => {
    const session = await openSession(writeOnnx(graph));
    expect(session.inputNames).toEqual(['x']);
    const one = await runSession(session, { type: 'float32', data: Float32Array.of(1, 0, 2), shape: [1, 3] });
    expect([...one]).toEqual([3.5, 8]);
    const two = await session.run({ x: new Tensor('float32', Float32Array.of(1, 0, 2, 0, 0, 0), [2, 3]) });
    expect(two.y!.dims).toEqual([2, 2, 1]);
    expect([...(two.y!.data as Float32Array)]).toEqual([3.5, 8, 0, 0]);
  });

  it('writes equal bytes for equal graphs', () => {
    expect(writeOnnx(graph)).toEqual(writeOnnx(structuredClone(graph)));
  });

  it('writes lengths of more than one byte', async () => {
    const data = Float32Array.from({ length: 3_000 }, (_, i) => i);
    const large: OnnxGraph = {
      name: 'large',
      nodes: [{ operator: 'Gather', inputs: ['table', 'x'], outputs: ['y'] }],
      constants: [{ name: 'table', type: 'float32', shape: [1_000, 3], data }],
      inputs: [{ name: 'x', type: 'int32', shape: ['batch'] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['batch', 3] }],
    };
    const session = await openSession(writeOnnx(large));
    const rows = await runSession(session, { type: 'int32', data: Int32Array.of(999), shape: [1] });
    expect([...rows]).toEqual([2_997, 2_998, 2_999]);
  });
});
