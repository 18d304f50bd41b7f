import { describe, expect, it } from 'vitest';
import { generateEncoder, smallEncoder } from './heavy-model.ts';
import { int64Constant, type OnnxGraph, writeOnnx } from './onnx.ts';
import { readOnnx } from './onnx-reader.ts';

/** Every kind of attribute, and constants of several types. */
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
    { operator: 'Transpose', inputs: ['row'], outputs: ['turned'], attributes: { perm: { ints: [0, 2, 1] } } },
    { operator: 'ReduceMax', inputs: ['turned'], outputs: ['y'], attributes: { axes: { ints: [-1] } } },
  ],
  constants: [
    { name: 'weights', type: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: 'half', type: 'float16', shape: [2], data: Uint16Array.of(1, 2) },
    { name: 'bytes', type: 'int8', shape: [], data: Int8Array.of(-1) },
    int64Constant('shape', [-1, 1, 2]),
  ],
  inputs: [{ name: 'x', type: 'float32', shape: ['batch', 3] }],
  outputs: [{ name: 'y', type: 'float32', shape: ['batch', 2, 1] }],
};

describe('readOnnx', () => {
  it('reads what was written', () => {
    const read = readOnnx(writeOnnx(graph));
    const nodes = graph.nodes.map((node) => ({ attributes: {}, ...node }));
    expect(read).toEqual({ ...graph, nodes });
  });

  it('reads an encoder, from a part of a larger buffer as well, and it is written again byte for byte', () => {
    const bytes = generateEncoder({ ...smallEncoder, vocabulary: 300 }, 1);
    expect(Buffer.compare(writeOnnx(readOnnx(bytes)), bytes)).toBe(0);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(Buffer.compare(writeOnnx(readOnnx(shifted.subarray(3))), bytes)).toBe(0);
    expect(Buffer.compare(writeOnnx(readOnnx(Buffer.from(bytes))), bytes)).toBe(0);
  });

  it('refuses a file that is cut off, or that is no model', () => {
    const bytes = writeOnnx(graph);
    for (let length = 0; length < bytes.length - 16; length += 7) {
      expect(() => readOnnx(bytes.subarray(0, length))).toThrow(/expected|cannot be read/);
    }
    expect(() => readOnnx(new TextEncoder().encode('<html>'))).toThrow(/expected an ONNX model/);
  });

  it('refuses what it could not write again, and names it', () => {
    const bytes = Buffer.from(writeOnnx(graph));
    // Another number in place of the one of the operator set, the element type or the attribute's type.
    const changed = (from: number[], to: number[]) => {
      const at = bytes.indexOf(Buffer.from(from));
      expect(at).toBeGreaterThan(0);
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(to), bytes.subarray(at + from.length)]);
    };
    expect(() => readOnnx(changed([0x10, 17], [0x10, 13]))).toThrow('expected operator set 17, got 13');
    const transB = [...Buffer.from('transB'), 0x18, 1, 0xa0, 1];
    expect(() => readOnnx(changed([...transB, 2], [...transB, 5]))).toThrow(
      'operator Gemm: attribute transB: only numbers and lists of integers can be read',
    );
    const half = [0x10, 10, 0x42, 4];
    expect(() => readOnnx(changed(half, [0x10, 16, 0x42, 4]))).toThrow('half: elements of ONNX type 16 cannot be read');
    expect(() => readOnnx(changed([0x08, 2, ...half], [0x08, 3, ...half]))).toThrow(/tensor half: expected 3 elements/);
  });
});
