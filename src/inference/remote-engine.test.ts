import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { BatchReport, InferenceEngine, InferenceError, PredictRequest, Row } from './engine.ts';
import type { Manifest } from './manifest.ts';
import { type ServedEngine, serveEngine } from './protocol/testing-server.ts';
import { createRemoteEngine, type RemoteEngineOptions } from './remote-engine.ts';
import { scanManifests, scanModelRepository } from './repository.ts';
import { doubling, numbersOf, outputOf, temporaryFolder, valuesRow } from './testing-engine.ts';
import { type GatedEngine, startGatedEngine } from './testing-gate.ts';
import { identityGraph, writeTestVersion } from './testing-model.ts';
import { createWorkerEngine } from './worker-engine.ts';

const predictDoubling = { model: 'doubling', version: '1' };
const nothing = { versions: [], failures: [] };

async function connectTo({ url }: ServedEngine, options: Partial<RemoteEngineOptions> = {}): Promise<InferenceEngine> {
  const engine = await createRemoteEngine({ url, repository: nothing, pollMs: 50, ...options });
  onTestFinished(() => engine.close());
  return engine;
}

function failureOf(promise: Promise<unknown>): Promise<InferenceError> {
  return promise.then(
    () => expect.unreachable('expected a rejection'),
    (error) => error,
  );
}

describe('over a socket', () => {
  let local: InferenceEngine;
  let occupy: GatedEngine['occupy'];
  let remote: InferenceEngine;
  let served: ServedEngine;
  let localReports: BatchReport[];
  let reports: BatchReport[];

  beforeEach(async () => {
    localReports = [];
    reports = [];
    const identities = (['int64', 'uint8', 'bool', 'float32'] as const).map((type) => ({
      name: `identity-${type}`,
      version: '1',
      graph: identityGraph(type, [2]),
    }));
    const onBatch = (report: BatchReport) => localReports.push(report);
    ({ engine: local, occupy } = await startGatedEngine([doubling, ...identities], { onBatch }));
    served = await serveEngine(local);
    remote = await connectTo(served, { onBatch: (report) => reports.push(report) });
  });

  test('offers the versions of a Tributary with what it says of them, without a folder', () => {
    expect(remote.versions()).toEqual(local.versions());
    expect(remote.failures()).toEqual([]);
  });

  test('answers 300 rows of a call in their order, from one batch', async () => {
    const rows = Array.from({ length: 300 }, (_, index) => valuesRow(...new Array(1 + ((index * 7) % 31)).fill(index)));
    const results = await remote.predict({ ...predictDoubling, rows });
    expect(results.map((result) => numbersOf(result, 'total')[0])).toEqual(
      rows.map((row, index) => row.values!.data.length * index),
    );
    expect(outputOf(results[3]).outputs.doubled!.dims).toEqual(rows[3]!.values!.dims);
    expect(reports.map((report) => report.rows)).toEqual([300]);
    expect(localReports.map((report) => report.rows)).toEqual([300]);
    expect(reports[0]!.computeMs).toBeCloseTo(localReports[0]!.computeMs, 6);
  });

  test.each<[string, Row[string]]>([
    ['int64', { data: BigInt64Array.of(-1n, 2n ** 60n), dims: [2] }],
    ['uint8', { data: Uint8Array.of(0, 255), dims: [2] }],
    ['bool', { data: Uint8Array.of(1, 0), dims: [2] }],
    ['float32', { data: Float32Array.of(Number.NaN, -0), dims: [2] }],
  ])('passes %s through unchanged', async (type, tensor) => {
    const rows = [{ in: tensor }];
    const [result] = await remote.predict({ model: `identity-${type}`, version: '1', rows });
    expect(outputOf(result).outputs.out).toEqual(tensor);
  });

  test('refuses what the local engine refuses, before anything is sent', async () => {
    const kindOf = (request: Partial<PredictRequest>) =>
      failureOf(remote.predict({ ...predictDoubling, rows: [valuesRow(1)], ...request })).then(({ kind }) => kind);
    expect(await kindOf({ version: '2' })).toBe('unknown-model');
    expect(await kindOf({ model: '__proto__' })).toBe('unknown-model');
    expect(await kindOf({ rows: [valuesRow(1), {}] })).toBe('invalid-input');
    expect(await kindOf({ rows: new Array(16_385).fill(valuesRow(1)) })).toBe('invalid-input');
    expect(await kindOf({ signal: AbortSignal.abort() })).toBe('aborted');
    expect(await kindOf({ deadlineMs: 0 })).toBe('timeout');
    expect(await remote.predict({ ...predictDoubling, rows: [] })).toEqual([]);
    expect([reports, localReports, remote.pendingRows()]).toEqual([[], [], 0]);
  });

  test('runs what two clients ask for in one batch', async () => {
    const other = await connectTo(served);
    const release = await occupy();
    const rowsOf = (from: number) => Array.from({ length: 30 }, (_, index) => valuesRow(from + index));
    const calls = [remote, other].map((engine, at) =>
      engine
        .predict({ ...predictDoubling, rows: rowsOf(100 * at) })
        .then((results) => results.map((result) => numbersOf(result, 'doubled')[0])),
    );
    const expected = [0, 100].map((from) => rowsOf(from).map((row) => 2 * Number(row.values!.data[0])));
    await expect.poll(() => local.pendingRows()).toBe(62);
    await release();
    expect(await Promise.all(calls)).toEqual(expected);
    expect(localReports.map(({ model, rows }) => [model, rows])).toEqual([
      ['plug', 1],
      ['plug', 1],
      ['doubling', 60],
    ]);
  });

  test('tells the server the deadline and the lane, and drops what nobody waits for', async () => {
    const release = await occupy();
    const late = failureOf(remote.predict({ ...predictDoubling, rows: [valuesRow(1)], deadlineMs: 300 }));
    await expect.poll(() => local.pendingRows()).toBe(3);
    expect((await late).kind).toBe('timeout');
    await expect.poll(() => local.pendingRows()).toBe(2);
    const leaving = new AbortController();
    const left = failureOf(remote.predict({ ...predictDoubling, rows: [valuesRow(2)], signal: leaving.signal }));
    await expect.poll(() => local.pendingRows()).toBe(3);
    leaving.abort();
    expect((await left).kind).toBe('aborted');
    await expect.poll(() => local.pendingRows()).toBe(2);
    const order: string[] = [];
    const note = (name: string) => () => order.push(name);
    const bulk = remote.predict({ ...predictDoubling, rows: [valuesRow(3, 3)], lane: 'bulk' }).then(note('bulk'));
    await expect.poll(() => local.pendingRows()).toBe(3);
    const row = { in: { data: Uint8Array.of(1, 0), dims: [2] } };
    const urgent = remote.predict({ model: 'identity-bool', version: '1', rows: [row] }).then(note('urgent'));
    await expect.poll(() => local.pendingRows()).toBe(4);
    await Promise.all([release(), bulk, urgent]);
    expect(order).toEqual(['urgent', 'bulk']);
    expect(localReports.map(({ model }) => model)).toEqual(['plug', 'plug', 'identity-bool', 'doubling']);
  });

  test('sends no more batches at a time than it may', async () => {
    const single = await connectTo(served, { concurrency: 1 });
    const release = await occupy();
    const first = single.predict({ ...predictDoubling, rows: [valuesRow(1)] });
    await expect.poll(() => local.pendingRows()).toBe(3);
    const waiting = [2, 3, 4].map((value) => single.predict({ ...predictDoubling, rows: [valuesRow(value)] }));
    await release();
    expect(numbersOf((await first)[0], 'doubled')).toEqual([2]);
    for (const [index, call] of waiting.entries())
      expect(numbersOf((await call)[0], 'doubled')).toEqual([2 * (index + 2)]);
    expect(localReports.map(({ rows }) => rows)).toEqual([1, 1, 1, 3]);
  });

  test('ends what waits and what comes when it is closed, after what runs', async () => {
    const single = await connectTo(served, { concurrency: 1 });
    const release = await occupy();
    const running = single.predict({ ...predictDoubling, rows: [valuesRow(7)] });
    await expect.poll(() => local.pendingRows()).toBe(3);
    const waiting = failureOf(single.predict({ ...predictDoubling, rows: [valuesRow(1)] }));
    const closed = single.close();
    expect((await waiting).kind).toBe('aborted');
    expect((await failureOf(single.predict({ ...predictDoubling, rows: [valuesRow(1)] }))).kind).toBe('aborted');
    await release();
    expect(numbersOf((await running)[0], 'doubled')).toEqual([14]);
    await closed;
    await single.close();
  });

  test('does not wait for what runs longer than its grace', async () => {
    const hasty = await connectTo(served, { closeGraceMs: 1 });
    const release = await occupy();
    const running = failureOf(hasty.predict({ ...predictDoubling, rows: [valuesRow(7)] }));
    await expect.poll(() => local.pendingRows()).toBe(3);
    await hasty.close();
    expect((await running).kind).toBe('aborted');
    await expect.poll(() => local.pendingRows()).toBe(2);
    await release();
  });
});

describe('the shipped models', () => {
  test('answer the same bits as in this process, in a batch and alone', { timeout: 60_000 }, async () => {
    const local = await createWorkerEngine({ repository: await scanModelRepository('models'), workers: 1 });
    onTestFinished(() => local.close());
    const remote = await connectTo(await serveEngine(local), { repository: await scanManifests('models') });
    expect(remote.versions().map(({ name }) => name)).toEqual(['embedding', 'energy-forecast', 'sentiment']);
    for (const { name: model, version, manifest } of remote.versions()) {
      const rows = Array.from({ length: 40 }, (_, index) => sampleRow(manifest, index));
      const expected = await local.predict({ model, version, rows });
      const actual = await remote.predict({ model, version, rows });
      expect(actual.map((result) => outputOf(result).outputs)).toEqual(
        expected.map((result) => outputOf(result).outputs),
      );
      const [alone] = await local.predict({ model, version, rows: rows.slice(7, 8) });
      const [remoteAlone] = await remote.predict({ model, version, rows: rows.slice(7, 8) });
      expect(outputOf(remoteAlone).outputs).toEqual(outputOf(alone).outputs);
    }
  });
});

function sampleRow({ inputs: [input] }: Manifest, index: number): Row {
  const [, size] = input!.shape;
  const length = typeof size === 'number' ? size : 3 + (index % 11);
  const data =
    input!.type === 'int32'
      ? Int32Array.from({ length }, (_, at) => 1 + ((index * 131 + at * 17) % 900))
      : Float32Array.from({ length }, (_, at) => Math.sin(index * 1.7 + at));
  return { [input!.name]: { data, dims: [length] } };
}

describe('manifests of a folder', () => {
  test('are enough without their models, and say what is broken', async () => {
    const directory = await temporaryFolder();
    const folder = await writeTestVersion(directory, doubling);
    await rm(join(folder, 'model.onnx'));
    await writeTestVersion(directory, { ...doubling, version: '2', manifest: { version: '3' } });
    await writeTestVersion(directory, { ...doubling, version: '10' });
    const { versions, failures } = await scanManifests(directory);
    expect(versions.map(({ manifest }) => manifest.version)).toEqual(['1', '10']);
    const error = 'doubling/2/manifest.json: version: expected the folder\'s name "2", got "3"';
    expect(failures).toEqual([{ name: 'doubling', version: '2', task: 'SENTIMENT', error }]);
    expect(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'))).toMatchObject({ version: '1' });
    await expect(scanManifests(join(directory, 'nothing'))).rejects.toThrow('ENOENT');
  });
});
