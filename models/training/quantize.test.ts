import { describe, expect, it } from 'vitest';
import { type Feed, maxDifference, openSession, runSession } from './artifact.ts';
import { generateEncoder, smallEncoder } from './heavy-model.ts';
import { type OnnxGraph, type OnnxNode, type OnnxTensor, writeOnnx } from './onnx.ts';
import { readOnnx } from './onnx-reader.ts';
import { quantizeGraph, type VariantPrecision } from './quantize.ts';
import { createRandom } from './random.ts';

const random = createRandom(7);
const width = 48;

function weights(name: string, shape: number[], scale = 1): OnnxTensor {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * random.gauss());
  return { name, type: 'float32', shape, data };
}

function products(nodes: readonly OnnxNode[], constants: readonly OnnxTensor[], outputWidth = width): OnnxGraph {
  const inputs = [{ name: 'x', type: 'float32', shape: ['batch', width] }] as const;
  return {
    name: 'test',
    nodes,
    constants,
    inputs,
    outputs: [{ name: 'y', type: 'float32', shape: ['batch', outputWidth] }],
  };
}

const product = products(
  [
    { operator: 'MatMul', inputs: ['x', 'first'], outputs: ['hidden'] },
    { operator: 'MatMul', inputs: ['x', 'second'], outputs: ['skip'] },
    { operator: 'Add', inputs: ['hidden', 'skip'], outputs: ['y'] },
  ],
  [weights('first', [width, width]), weights('second', [width, width], 0.01)],
);
const gemm = (attributes: OnnxNode['attributes'], shape: number[]) =>
  products(
    [{ operator: 'Gemm', inputs: ['x', 'matrix', 'bias'], outputs: ['y'], ...(attributes && { attributes }) }],
    [weights('matrix', shape), weights('bias', [32])],
    32,
  );
const table: OnnxGraph = {
  name: 'test',
  nodes: [
    { operator: 'Gather', inputs: ['table', 'ids'], outputs: ['rows'] },
    {
      operator: 'ReduceMean',
      inputs: ['rows'],
      outputs: ['y'],
      attributes: { axes: { ints: [1] }, keepdims: { int: 0 } },
    },
  ],
  constants: [weights('table', [200, 16])],
  inputs: [{ name: 'ids', type: 'int32', shape: ['batch', 'sequence'] }],
  outputs: [{ name: 'y', type: 'float32', shape: ['batch', 16] }],
};

/** Rows of very different size, a row of zeros among them: a scale shared by the batch would show. */
function floatRows(rows: number): Feed {
  const data = Float32Array.from(
    { length: rows * width },
    (_, i) => random.gauss() * 10 ** (Math.floor(i / width) % 5),
  );
  data.fill(0, 0, width);
  return { type: 'float32', data, shape: [rows, width] };
}

function idRows(rows: number, length: number, limit: number): Feed {
  const data = Int32Array.from({ length: rows * length }, () => 1 + random.integer(limit - 1));
  return { type: 'int32', data, shape: [rows, length] };
}

async function run(graph: OnnxGraph, feed: Feed): Promise<Float32Array> {
  const session = await openSession(writeOnnx(graph));
  try {
    return (await runSession(session, feed)).slice();
  } finally {
    await session.release();
  }
}

/** Each row alone, one after the other. */
async function runAlone(graph: OnnxGraph, { type, data, shape: [rows, length] }: Feed): Promise<Float32Array> {
  const session = await openSession(writeOnnx(graph));
  const results: number[] = [];
  for (let row = 0; row < rows!; row++) {
    const own = data.slice(row * length!, (row + 1) * length!);
    results.push(...(await runSession(session, { type, data: own, shape: [1, length!] })));
  }
  await session.release();
  return Float32Array.from(results);
}

/** Largest difference of each row as a share of the largest number of that row. */
function relativeDifference(expected: Float32Array, actual: Float32Array, rows: number): number {
  const length = expected.length / rows;
  const shares = Array.from({ length: rows }, (_, row) => {
    const own = expected.slice(row * length, (row + 1) * length);
    const largest = Math.max(...own.map(Math.abs), 1e-9);
    return maxDifference(own, actual.slice(row * length, (row + 1) * length)) / largest;
  });
  return Math.max(...shares);
}

const encoder = readOnnx(generateEncoder({ ...smallEncoder, vocabulary: 300 }, 1));
const cases: [string, OnnxGraph, Feed][] = [
  ['products that share their input', product, floatRows(17)],
  ['Gemm with a bias', gemm(undefined, [width, 32]), floatRows(17)],
  ['Gemm with turned weights', gemm({ transB: { int: 1 } }, [32, width]), floatRows(17)],
  ['a table', table, idRows(17, 9, 200)],
  ['an encoder', encoder, idRows(5, 12, 300)],
];
const tolerances: Record<VariantPrecision, number> = { FP16: 2e-3, INT8: 5e-2 };

describe.each(cases)('%s', (_, graph, feed) => {
  it.each<VariantPrecision>(['FP16', 'INT8'])(
    'in %s is near FP32, smaller, and independent of the batch',
    async (precision) => {
      const small = quantizeGraph(graph, precision).graph;
      const batched = await run(small, feed);
      const rows = feed.shape[0]!;
      expect(relativeDifference(await run(graph, feed), batched, rows)).toBeLessThan(tolerances[precision]);
      expect(relativeDifference(await runAlone(small, feed), batched, rows)).toBeLessThanOrEqual(1e-6);
      expect(writeOnnx(small).length).toBeLessThan(writeOnnx(graph).length * (precision === 'FP16' ? 0.6 : 0.5));
    },
  );
});

describe('quantizeGraph', () => {
  it('stores weights that several nodes use only once, and keeps what cannot be smaller', () => {
    const { graph, weights: names } = quantizeGraph(product, 'INT8');
    expect(names).toEqual(['first', 'second']);
    expect(graph.nodes.filter(({ operator }) => operator === 'ReduceMax')).toHaveLength(1);
    expect(graph.constants.map(({ name }) => name)).not.toContain('first');
    const scaled = gemm({ alpha: { float: 0.5 } }, [width, 32]);
    expect(() => quantizeGraph(scaled, 'INT8')).toThrow(/^nothing to make smaller: .*got Gemm$/);
  });

  it('keeps sums of two products within 16 bits, where some CPUs saturate', () => {
    const extreme = products(
      [{ operator: 'MatMul', inputs: ['x', 'matrix'], outputs: ['y'] }],
      [{ name: 'matrix', type: 'float32', shape: [width, width], data: new Float32Array(width * width).fill(1) }],
    );
    const { constants } = quantizeGraph(extreme, 'INT8').graph;
    const numberOf = (name: string) => (constants.find((own) => own.name === name)!.data as Float32Array)[0]!;
    const largest = numberOf('activation_shift') + numberOf('activation_levels');
    expect(2 * largest * numberOf('matrix_int8')).toBeLessThan(2 ** 15);
  });

  it('refuses weights that float16 cannot hold', () => {
    const huge = { ...table, constants: [weights('table', [200, 16], 1e6)] };
    expect(() => quantizeGraph(huge, 'FP16')).toThrow('tensor table: expected weights up to 65504');
  });

  it('does not hide numbers that are not finite', async () => {
    const feed = floatRows(3);
    feed.data.set([Number.NaN, 1, 2], width);
    feed.data.set([Number.POSITIVE_INFINITY, 1, 2], 2 * width);
    const y = await run(quantizeGraph(product, 'INT8').graph, feed);
    expect(y.subarray(0, width).every((value) => value === 0)).toBe(true);
    expect(y.subarray(width).some(Number.isFinite)).toBe(false);
  });
});
