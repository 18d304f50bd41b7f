/** What is wrong with a version is said in one line, and all others are served. */
import { expect, test } from 'vitest';
import { doubling, numbersOf, startEngine, valuesRow } from './testing-engine.ts';
import { doublingGraph, encodeModel, identityGraph, type TestVersion } from './testing-model.ts';

const graph = doublingGraph();
const [add, sum] = graph.nodes;

// The operator set is the last field of the file.
function withOperatorSet(version: number): Uint8Array {
  const bytes = encodeModel(graph).slice();
  bytes[bytes.length - 1] = version;
  return bytes;
}

// Of a protobuf message that comes in two parts both count: this adds a constant to the graph, whose elements are elsewhere.
function withExternalData(): Uint8Array {
  const field = (number: number, content: readonly number[]) => [number * 8 + 2, content.length, ...content];
  const text = (number: number, content: string) => field(number, [...Buffer.from(content)]);
  const location = field(13, [...text(1, 'location'), ...text(2, 'weights.bin')]);
  const int64s = [1 * 8, 1, 2 * 8, 7];
  const tensor = [...int64s, ...text(8, 'axes'), ...location, 14 * 8, 1];
  return Buffer.concat([encodeModel({ ...graph, constants: [] }), Buffer.from(field(7, field(5, tensor)))]);
}

const broken: [string, Partial<TestVersion>, RegExp][] = [
  ['corrupt', { bytes: new Uint8Array(100).fill(7) }, /^broken\/1\/model.onnx: cannot be loaded: \S/],
  ['empty', { bytes: new Uint8Array(0) }, /^broken\/1\/model.onnx: cannot be loaded: \S/],
  ['cut off', { bytes: encodeModel(graph).slice(0, 90) }, /^broken\/1\/model.onnx: cannot be loaded: \S/],
  [
    'a newer operator set',
    { bytes: withOperatorSet(99) },
    /^broken\/1\/model.onnx: expected operator set \d+ or an older one, got 99$/,
  ],
  [
    'an operator set in which its operators were others',
    { bytes: withOperatorSet(5) },
    /^broken\/1\/model.onnx: cannot be loaded: .*ReduceSum/,
  ],
  [
    'an unknown operator',
    { graph: { ...graph, nodes: [{ ...add!, operator: 'Fold' }, sum!] } },
    /^broken\/1\/model.onnx: cannot be loaded: .*No Op registered for Fold/,
  ],
  [
    'weights in files of their own',
    { bytes: withExternalData() },
    /^broken\/1\/model.onnx: expected all weights in this file, got weights in files of their own \(external data\)$/,
  ],
  ['wrong sha256', { manifest: { sha256: '1'.repeat(64) } }, /expected the sha256 of manifest.json/],
  [
    'the name of another folder',
    { manifest: { name: 'other' } },
    /manifest.json: name: expected the folder's name "br/,
  ],
  [
    'another input',
    { manifest: { inputs: [{ name: 'ids', type: 'float32', shape: ['batch', 'steps'] }] } },
    /^broken\/1\/model.onnx: input ids: expected float32 \[batch, steps\] as in manifest.json, got nothing$/,
  ],
  [
    'another type',
    { manifest: { inputs: [{ name: 'values', type: 'int32', shape: ['batch', 'steps'] }] } },
    /input values: expected int32 \[batch, steps\] as in manifest.json, got float32 \[batch, steps\]$/,
  ],
  [
    'another number of axes',
    { manifest: { inputs: [{ name: 'values', type: 'float32', shape: ['batch', 'steps', 2] }] } },
    /input values: expected float32 \[batch, steps, 2\] as in manifest.json, got float32 \[batch, steps\]$/,
  ],
  [
    'an open axis that the model fixes',
    { graph: identityGraph('float32', [2]), manifest: { inputs: identityGraph('float32', ['size']).inputs } },
    /input in: expected float32 \[batch, size\] as in manifest.json, got float32 \[batch, 2\]$/,
  ],
  [
    'another output shape',
    { manifest: { outputs: [{ name: 'total', type: 'float32', shape: ['batch', 3] }] } },
    /output total: expected float32 \[batch, 3\] as in manifest.json, got float32 \[batch, 1\]$/,
  ],
  [
    'an output that the model does not have',
    { manifest: { outputs: [{ name: 'mean', type: 'float32', shape: ['batch', 1] }] } },
    /output mean: expected float32 \[batch, 1\] as in manifest.json, got nothing$/,
  ],
  [
    'an input that the manifest does not know',
    {
      graph: { ...graph, inputs: [...graph.inputs, { name: 'more', type: 'float32', shape: ['batch'] }] },
      manifest: { inputs: graph.inputs },
    },
    /^broken\/1\/manifest.json: inputs: expected input more of model.onnx, got nothing$/,
  ],
  [
    'a graph that cannot run',
    { graph: { ...graph, constants: [{ name: 'axes', type: 'int64', shape: [1], data: BigInt64Array.of(9n) }] } },
    /^broken\/1\/model.onnx: cannot /,
  ],
];
test.each(broken)('leaves out a version that is broken: %s', async (_, changes, message) => {
  const engine = await startEngine([doubling, { name: 'broken', version: '1', graph, ...changes }], { workers: 2 });
  expect(engine.failures()).toEqual([
    { name: 'broken', version: '1', task: 'SENTIMENT', error: expect.stringMatching(message) },
  ]);
  expect(engine.failures()[0]!.error).not.toContain('\n');
  expect(engine.versions()).toEqual([expect.objectContaining({ name: 'doubling', executionProvider: 'cpu' })]);
  const [result] = await engine.predict({ model: 'doubling', version: '1', rows: [valuesRow(3)] });
  expect(numbersOf(result, 'doubled')).toEqual([6]);
});

test('says nothing of the task of a version whose manifest cannot be read', async () => {
  const manifest = { task: 'GUESS' as 'TENSOR' };
  const engine = await startEngine([doubling, { name: 'broken', version: '1', graph, manifest }]);
  const error = expect.stringMatching(/^broken\/1\/manifest.json: task: .*"GUESS"$/);
  expect(engine.failures()).toEqual([{ name: 'broken', version: '1', task: null, error }]);
});

test('refuses a model that answers fewer rows than it got, although it declares otherwise', async () => {
  const finding: TestVersion['graph'] = {
    ...identityGraph('float32', [2]),
    nodes: [
      { operator: 'NonZero', inputs: ['in'], outputs: ['where'] },
      { operator: 'Transpose', inputs: ['where'], outputs: ['across'] },
      { operator: 'Cast', inputs: ['across'], outputs: ['out'], attributes: { to: { int: 1 } } },
    ],
  };
  const engine = await startEngine([{ name: 'finding', version: '1', graph: finding }]);
  expect(engine.failures()).toEqual([
    expect.objectContaining({
      error: 'finding/1/model.onnx: cannot run 2 rows of zeros: output out: expected [2, 2], got [0, 2]',
    }),
  ]);
});
