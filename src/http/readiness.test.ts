import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InferenceEngine } from '../inference/engine.ts';
import { scanModelRepository } from '../inference/repository.ts';
import {
  doublingGraph,
  encodeModel,
  identityGraph,
  type TestGraph,
  type TestVersion,
  writeTestVersion,
} from '../inference/testing-model.ts';
import { createWorkerEngine } from '../inference/worker-engine.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { createReadiness } from './readiness.ts';

/** Every kind of version that cannot be used, by the name of its model; version 1 of each. */
const broken: Record<string, Partial<TestVersion>> = {
  corrupt: { bytes: new Uint8Array(100).fill(7) },
  opset: { bytes: ofOperatorSet(99) },
  operator: { graph: withOperator('Nonsense') },
  input: { manifest: { inputs: [{ name: 'ids', type: 'float32', shape: ['batch', 'steps'] }] } },
  output: { manifest: { outputs: [{ name: 'scores', type: 'float32', shape: ['batch', 'steps'] }] } },
  type: { manifest: { inputs: [{ name: 'values', type: 'int32', shape: ['batch', 'steps'] }] } },
  run: { graph: { ...doublingGraph(), constants: [constant(9n)] } },
  mates: { graph: sharedScaleGraph() },
};
/** Those whose manifest or files are wrong before any session is made. */
const unreadable: Record<string, Partial<TestVersion>> = {
  bytes: { manifest: { sha256: '0'.repeat(64) } },
  task: { manifest: { task: 'GUESS' as 'TENSOR' } },
  sizes: { manifest: { batchSizes: [4, 8], maxBatchRows: 16 } },
};

let directory: string;
let engine: InferenceEngine;
let app: TestApp;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'failures '));
  for (const [name, changes] of Object.entries({ ...broken, ...unreadable })) await write(name, changes);
  await write('json', {}, '1', '{ "name": ');
  await write('good', {});
  await write('good', broken.corrupt!, '2');
  engine = await createWorkerEngine({ repository: await scanModelRepository(directory), workers: 1 });
  app = await createTestApp({ wrapInference: () => engine });
});

afterAll(async () => {
  await engine.close();
  await app.close();
  await rm(directory, { recursive: true });
});

async function write(name: string, changes: Partial<TestVersion>, version = '1', manifestText?: string) {
  const folder = await writeTestVersion(directory, { name, version, graph: doublingGraph(), ...changes });
  if (manifestText !== undefined) await writeFile(join(folder, 'manifest.json'), manifestText);
}

function constant(axis: bigint) {
  return { name: 'axes', type: 'int64', shape: [1], data: BigInt64Array.of(axis) } as const;
}

function withOperator(operator: string): TestGraph {
  const graph = doublingGraph();
  return { ...graph, nodes: graph.nodes.map((node) => ({ ...node, operator })) };
}

/** The operator set is the model's last field. */
function ofOperatorSet(version: number): Uint8Array {
  const bytes = Uint8Array.from(encodeModel(doublingGraph()));
  bytes[bytes.length - 1] = version;
  return bytes;
}

function sharedScaleGraph(): TestGraph {
  return {
    ...identityGraph('float32', [4]),
    nodes: [
      { operator: 'DynamicQuantizeLinear', inputs: ['in'], outputs: ['quantized', 'scale', 'zero'] },
      { operator: 'DequantizeLinear', inputs: ['quantized', 'scale', 'zero'], outputs: ['out'] },
    ],
  };
}

const names = [...Object.keys(broken), ...Object.keys(unreadable), 'json', 'good'].sort();
const oneLine = expect.stringMatching(/^[^\n]*expected [^\n]*$|^[^\n]*cannot [^\n]*$/);

async function readiness() {
  const isReady = createReadiness({ isAnswering: async () => true }, engine, () => false);
  return isReady();
}

describe('versions that cannot be used', () => {
  test('are named by readiness, which the others do not lose by', async () => {
    const { isReady, details } = await readiness();
    expect(isReady).toBe(true);
    expect(details).toMatchObject({ database: 'up', models: ['good/1'] });
    const failed = details.failedModels as { name: string; version: string; error: string }[];
    expect(failed.map(({ name }) => name).sort()).toEqual(names);
    for (const { name, error } of failed) {
      expect(error, name).toEqual(oneLine);
      expect(error, name).not.toContain(directory);
    }
  });

  test('are in the graph with the same words, each once', async () => {
    const { data, errors } = await app.query('{ failedModelVersions { name version task error } }');
    expect(errors).toBeUndefined();
    expect(data.failedModelVersions).toEqual(engine.failures());
    expect(data.failedModelVersions).toHaveLength(names.length);
  });

  test('are listed below their models, also where no version is left', async () => {
    const { data } = await app.query(
      '{ models { name task versions { version } failedVersions { version task error } } good: model(name: "good") { id } }',
    );
    const entries = new Map<string, { versions: object[]; failedVersions: object[] }>(
      data.models.map((model: { name: string }) => [model.name, model]),
    );
    expect(entries.get('good')).toMatchObject({ versions: [{ version: '1' }], failedVersions: [{ version: '2' }] });
    for (const name of Object.keys(broken)) {
      expect(entries.get(name), name).toEqual({
        name,
        task: 'SENTIMENT',
        versions: [],
        failedVersions: [{ version: '1', task: 'SENTIMENT', error: oneLine }],
      });
    }
    expect([...entries.keys()]).not.toContain('json');
    const found = await app.query(
      'query ($id: ID!) { node(id: $id) { ... on Model { failedVersions { version } } } }',
      {
        id: data.good.id,
      },
    );
    expect(found.data.node).toEqual({ failedVersions: [{ version: '2' }] });
  });

  test('answer nothing', async () => {
    const { errors } = await app.query(
      '{ predict(model: "corrupt", inputs: [{ name: "values", shape: [1, 1], values: [1] }]) { outputs { values } } }',
    );
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'NOT_FOUND', issues: [{ path: 'model' }] });
  });
});
