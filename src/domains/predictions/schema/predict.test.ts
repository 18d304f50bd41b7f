import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { int64Constant } from '../../../../models/training/onnx.ts';
import type { BatchReport, InferenceEngine } from '../../../inference/engine.ts';
import type { ManifestInput } from '../../../inference/manifest.ts';
import { scanModelRepository } from '../../../inference/repository.ts';
import { doublingGraph, identityGraph, type TestGraph, writeTestVersion } from '../../../inference/testing-model.ts';
import { createWorkerEngine } from '../../../inference/worker-engine.ts';
import { type Answer, createTestApp, type TestApp } from '../../../testing/test-app.ts';

let app: TestApp;
let engine: InferenceEngine;
let directory: string;
let batches: BatchReport[] = [];

const float = (name: string, ...axes: (number | string)[]) =>
  ({ name, type: 'float32', shape: ['batch', ...axes] }) as ManifestInput['inputs'][number];
const ids = { name: 'ids', type: 'int64', shape: ['batch', 1] } as ManifestInput['inputs'][number];

/** sum [batch, n] of left and right, both [batch, n]. */
const sumGraph: TestGraph = {
  inputs: [float('left', 'n'), float('right', 'n')],
  outputs: [float('sum', 'n')],
  nodes: [{ operator: 'Add', inputs: ['left', 'right'], outputs: ['sum'] }],
  constants: [],
};
/** Looks ids up in a table of three; others make the batch fail. */
const lookupGraph: TestGraph = {
  inputs: [ids],
  outputs: [float('value', 1)],
  nodes: [{ operator: 'Gather', inputs: ['table', 'ids'], outputs: ['value'] }],
  constants: [{ name: 'table', type: 'float32', shape: [3], data: Float32Array.of(0, 10, 20) }],
};
/** ones [batch, k] for the largest id k: a shape that the values decide. */
const growingGraph: TestGraph = {
  inputs: [ids],
  outputs: [float('ones', 'k')],
  nodes: [
    { operator: 'ReduceMax', inputs: ['ids'], outputs: ['most'], attributes: { keepdims: { int: 0 } } },
    { operator: 'Unsqueeze', inputs: ['most', 'zero'], outputs: ['size'] },
    { operator: 'Shape', inputs: ['ids'], outputs: ['rows'], attributes: { start: { int: 0 }, end: { int: 1 } } },
    { operator: 'Concat', inputs: ['rows', 'size'], outputs: ['shape'], attributes: { axis: { int: 0 } } },
    { operator: 'Expand', inputs: ['one', 'shape'], outputs: ['ones'] },
  ],
  constants: [int64Constant('zero', [0]), { name: 'one', type: 'float32', shape: [1], data: Float32Array.of(1) }],
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'predict '));
  const write = (name: string, graph: TestGraph, manifest: Partial<ManifestInput> = {}, version = '1') =>
    writeTestVersion(directory, { name, version, graph, manifest: { task: 'TENSOR', ...manifest } });
  await write('doubling', doublingGraph());
  await write('doubling', doublingGraph(), { precision: 'INT8' }, '1-int8');
  await write('sum', sumGraph);
  await write('lookup', lookupGraph);
  await write('growing', growingGraph, { maxBatchRows: 1, deterministic: false });
  await write('wide', { ...identityGraph('uint8', [262_145]) });
  for (const type of ['bool', 'int64', 'uint8'] as const) await write(`echo-${type}`, identityGraph(type, [2]));
  const repository = await scanModelRepository(directory);
  engine = await createWorkerEngine({ repository, workers: 1, onBatch: (report) => batches.push(report) });
  expect(engine.failures()).toEqual([]);
  app = await createTestApp({ wrapInference: () => engine });
});

afterAll(async () => {
  await engine.close();
  await app.close();
  await rm(directory, { recursive: true });
});

const document = `query ($model: String!, $version: String, $inputs: [TensorInput!]!) {
  predict(model: $model, version: $version, inputs: $inputs) {
    modelVersion { version rolloutWeight model { name } } outputs { name type shape values }
  }
}`;

interface Tensor {
  name: string;
  shape: unknown[];
  values: unknown[];
}

const tensor = (name: string, shape: unknown[], ...values: unknown[]): Tensor => ({ name, shape, values });

function predict(model: string, inputs: Tensor[], version?: string): Promise<Answer> {
  return app.query(document, { model, inputs, ...(version !== undefined && { version }) });
}

describe('predict', () => {
  test('gives all outputs of all rows, from one batch', async () => {
    batches = [];
    const answer = await predict('doubling', [tensor('values', [2, 3], 1, 2, 3, -4, 5.5, 0.1)]);
    expect(answer).toMatchObject({
      data: {
        predict: {
          modelVersion: { version: '1', rolloutWeight: 1, model: { name: 'doubling' } },
          outputs: [
            {
              name: 'doubled',
              type: 'FLOAT32',
              shape: [2, 3],
              values: [2, 4, 6, -8, 11, 2 * Math.fround(0.1)],
            },
            { name: 'total', type: 'FLOAT32', shape: [2, 1], values: [6, expect.closeTo(1.6, 6)] },
          ],
        },
      },
    });
    expect(batches.map(({ rows }) => rows)).toEqual([2]);
  });

  test('of many requests shares the batches', async () => {
    batches = [];
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) => predict('doubling', [tensor('values', [1, 1], at)])),
    );
    expect(answers.map(({ data }) => data.predict.outputs[0].values)).toEqual(answers.map((_, at) => [2 * at]));
    expect(batches.reduce((sum, { rows }) => sum + rows, 0)).toBe(50);
    expect(batches.length).toBeLessThan(25);
  });

  test('takes several inputs in any order, as literals as well', async () => {
    const inputs =
      '[{ name: "right", shape: [1, 2], values: [10, 20.5] }, { name: "left", shape: [1, 2], values: [1, -2e1] }]';
    const { data, errors } = await app.query(`{ predict(model: "sum", inputs: ${inputs}) { outputs { values } } }`);
    expect(errors).toBeUndefined();
    expect(data.predict.outputs).toEqual([{ values: [11, 0.5] }]);
  });

  test('takes a row of nothing', async () => {
    const { data } = await predict('doubling', [tensor('values', [1, 0])]);
    expect(data.predict.outputs).toMatchObject([
      { shape: [1, 0], values: [] },
      { shape: [1, 1], values: [0] },
    ]);
  });

  test.each([
    ['echo-bool', [true, false, false, true]],
    ['echo-uint8', [0, 255, 7, 8]],
    ['echo-int64', [1, -5, '9223372036854775807', '-9007199254740993']],
  ])('keeps every value of %s', async (model, values) => {
    const { data, errors } = await predict(model, [tensor('in', [2, 2], ...values)]);
    expect(errors).toBeUndefined();
    expect(data.predict.outputs).toEqual([expect.objectContaining({ shape: [2, 2], values })]);
  });

  test('reads an integer literal beyond 2^53 whole', async () => {
    const inputs = '[{ name: "in", shape: [1, 2], values: [9007199254740993, 1] }]';
    const { data } = await app.query(`{ predict(model: "echo-int64", inputs: ${inputs}) { outputs { values } } }`);
    expect(data.predict.outputs).toEqual([{ values: ['9007199254740993', 1] }]);
  });

  test('writes what is not finite as text', async () => {
    const { data } = await predict('doubling', [tensor('values', [1, 3], 'NaN', '-Infinity', 3e38)]);
    expect(data.predict.outputs[0].values).toEqual(['NaN', '-Infinity', 'Infinity']);
  });

  test('asks the version that is named', async () => {
    const { data } = await predict('doubling', [tensor('values', [1, 1], 1)], '1-int8');
    expect(data.predict.modelVersion).toMatchObject({ version: '1-int8', rolloutWeight: 0 });
  });

  test('is recorded with its rows', async () => {
    await predict('sum', [tensor('left', [3, 1], 1, 2, 3), tensor('right', [3, 1], 1, 2, 3)]);
    await app.predictions.flush();
    const { data } = await app.query('{ predictions(first: 1, filter: { model: "sum" }) { nodes { batchSize } } }');
    expect(data.predictions.nodes).toEqual([{ batchSize: 3 }]);
  });

  test('needs a token that may read', async () => {
    const input = { model: 'doubling', inputs: [tensor('values', [1, 1], 1)] };
    expect((await app.query(document, input, null)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    const { errors } = await app.query(document, input, { ...app.viewer, scopes: ['write'] });
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });
});

describe('what does not fit the model', () => {
  const one = tensor('values', [1, 1], 1);
  const bad: [string, string, Tensor[], string, string | RegExp][] = [
    ['no input', 'doubling', [], 'inputs', 'expected also the tensor values, FLOAT32 [batch, steps], got none'],
    ['an unknown input', 'doubling', [tensor('x', [1], 1)], 'inputs.0.name', 'expected one of values, got "x"'],
    ['an input twice', 'doubling', [one, one], 'inputs.1.name', 'expected each of values, got values twice'],
    [
      'a missing input',
      'sum',
      [tensor('left', [1, 1], 1)],
      'inputs',
      'expected also the tensor right, FLOAT32 [batch, n], got none',
    ],
    [
      'a wrong rank',
      'doubling',
      [tensor('values', [1], 1)],
      'inputs.0.shape',
      'expected the 2 axes [batch, steps], got [1]',
    ],
    ['a wrong size', 'echo-uint8', [tensor('in', [1, 3], 1, 2, 3)], 'inputs.0.shape.1', 'expected 2, got 3'],
    ['no rows', 'doubling', [tensor('values', [0, 1])], 'inputs.0.shape.0', 'expected 1 to 1024 rows, got 0'],
    ['too many rows', 'doubling', [tensor('values', [1025, 0])], 'inputs.0.shape.0', /^expected 1 to 1024 rows/],
    ['a negative size', 'doubling', [tensor('values', [1, -1])], 'inputs.0.shape.1', /^expected a size of 0 or more/],
    [
      'axes of one name that differ',
      'sum',
      [tensor('left', [1, 2], 1, 2), tensor('right', [1, 3], 1, 2, 3)],
      'inputs.1.shape.1',
      'expected 2, the n of left, got 3',
    ],
    [
      'rows that differ in number',
      'sum',
      [tensor('left', [1, 1], 1), tensor('right', [2, 1], 1, 2)],
      'inputs.1.shape.0',
      'expected 1, the batch of left, got 2',
    ],
    [
      'fewer values than the shape says',
      'doubling',
      [tensor('values', [2, 3], 1, 2)],
      'inputs.0.values',
      'expected 6 values for the shape [2, 3], got 2',
    ],
    [
      'a value of another type',
      'doubling',
      [tensor('values', [1, 4], 1, 2, 3, 'x')],
      'inputs.0.values.3',
      'expected a number within FLOAT32, or "NaN", "Infinity" or "-Infinity", got "x"',
    ],
    [
      'an object for a value',
      'doubling',
      [tensor('values', [1, 1], { x: 1 })],
      'inputs.0.values.0',
      /expected a number/,
    ],
    [
      'more elements than a request may have',
      'wide',
      [tensor('in', [1, 262_145])],
      'inputs',
      'expected at most 262144 elements in all, got 262145',
    ],
    [
      'sizes whose product is beyond all bounds',
      'doubling',
      [tensor('values', [1024, 2_147_483_647])],
      'inputs',
      /^expected at most 262144 elements/,
    ],
    [
      'a row that the model fails on',
      'lookup',
      [tensor('ids', [3, 1], 1, 77, 2)],
      'inputs',
      'row 1: The model lookup/1 failed on this input.',
    ],
    [
      'rows with outputs of different shapes',
      'growing',
      [tensor('ids', [2, 1], 2, 3)],
      'inputs',
      'expected rows that give ones one shape: row 0 gives [2], row 1 [3]; send them apart',
    ],
    [
      'rows with too many outputs',
      'growing',
      [tensor('ids', [2, 1], 200_000, 200_000)],
      'inputs',
      /at most 262144 elements in all, got 400000/,
    ],
  ];
  test.each(bad)('is named: %s', async (_label, model, inputs, path, message) => {
    const { errors, data } = await predict(model, inputs);
    expect(data ?? null).toBeNull();
    const { code, issues } = errors![0]!.extensions as { code: string; issues: { path: string; message: string }[] };
    expect(code).toBe('BAD_USER_INPUT');
    expect(issues).toEqual([{ path, message: expect.stringMatching(message instanceof RegExp ? message : /./) }]);
    if (typeof message === 'string') expect(issues[0]!.message).toBe(message);
  });

  test('is not found where there is no such model or version', async () => {
    const unknown = await predict('nope', [one]);
    expect(unknown.errors?.[0]).toMatchObject({ extensions: { code: 'NOT_FOUND', issues: [{ path: 'model' }] } });
    const { errors } = await predict('doubling', [one], '7');
    expect(errors?.[0]).toMatchObject({
      message: 'version: expected a loaded version of doubling: 1, 1-int8',
      extensions: { code: 'NOT_FOUND' },
    });
  });
});

test('what a model takes and gives can be read', async () => {
  const fields = 'name type shape axes';
  const { data } = await app.query(
    `{ model(name: "sum") { versions { inputs { ${fields} } outputs { ${fields} } } } }`,
  );
  const described = (name: string) => ({ name, type: 'FLOAT32', shape: [null, null], axes: ['batch', 'n'] });
  expect(data.model.versions).toEqual([
    { inputs: [described('left'), described('right')], outputs: [described('sum')] },
  ]);
});
