import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type InferenceEngine, InferenceError, type RowResult } from './engine.ts';
import { scanModelRepository } from './repository.ts';
import { doubling, numbersOf, outputOf, startEngine, temporaryFolder, valuesRow } from './testing-engine.ts';
import { heavyGraph, type TestVersion, writeTestVersion } from './testing-model.ts';
import { batchTaken, brokenStart, poison, poisonOnce } from './testing-worker.ts';
import { createWorkerEngine } from './worker-engine.ts';

const workerFile = new URL('./testing-worker.ts', import.meta.url);
const predictDoubling = { model: 'doubling', version: '1' };
// One row occupies the only worker long enough to look at what waits behind it.
const heavy: TestVersion = { name: 'heavy', version: '1', graph: heavyGraph(120) };

function predictHeavy(engine: InferenceEngine, rows = 256): Promise<readonly RowResult[]> {
  const row = { x: { data: new Float32Array(512), dims: [512] } };
  return engine.predict({ model: 'heavy', version: '1', rows: new Array(rows).fill(row) });
}

function failureOf(promise: Promise<unknown>): Promise<InferenceError> {
  return promise.then(
    () => expect.unreachable('expected a rejection'),
    (error) => error,
  );
}

describe('a dying worker', () => {
  test('has its batch run again elsewhere, and is replaced', async () => {
    const exits: string[] = [];
    const onWorkerExit = (reason: string) => exits.push(reason);
    const engine = await startEngine([doubling], { workers: 2, workerFile, onWorkerExit });
    const rows = [valuesRow(1), valuesRow(poisonOnce)];
    const others = Array.from({ length: 20 }, (_, at) => engine.predict({ ...predictDoubling, rows: [valuesRow(at)] }));
    const results = await engine.predict({ ...predictDoubling, rows });
    expect(results.map((result) => numbersOf(result, 'doubled'))).toEqual([[2], [2 * poisonOnce]]);
    for (const [at, other] of others.entries()) expect(numbersOf((await other)[0], 'doubled')).toEqual([2 * at]);
    expect(exits).toEqual(['exit code 4']);
    expect(engine.failures()).toEqual([]);
  });

  test('fails a batch that kills twice, and serves on', async () => {
    const exits: string[] = [];
    const engine = await startEngine([doubling], { workerFile, onWorkerExit: (reason) => exits.push(reason) });
    const [killed] = await engine.predict({ ...predictDoubling, rows: [valuesRow(poison)] });
    expect(killed).toMatchObject({ kind: 'failed', message: 'The model doubling/1 failed on this input.' });
    expect(exits).toEqual(['exit code 3', 'exit code 3']);
    const [result] = await engine.predict({ ...predictDoubling, rows: [valuesRow(2)] });
    expect(numbersOf(result, 'doubled')).toEqual([4]);
    expect(engine.pendingRows()).toBe(0);
  });

  test('takes what was staged behind its batch to the next one', async () => {
    const engine = await startEngine([{ ...doubling, manifest: { maxBatchRows: 1 } }], { workerFile });
    const rows = [poisonOnce, 5, 6].map((value) => valuesRow(value));
    const results = await engine.predict({ ...predictDoubling, rows });
    expect(results.map((result) => numbersOf(result, 'doubled'))).toEqual([[2 * poisonOnce], [10], [12]]);
  });

  test('of what was staged behind another batch lets that one end, and is blamed on the right one', async () => {
    const exits: string[] = [];
    const versions = [{ ...doubling, manifest: { maxBatchRows: 1 } }, heavy];
    const directory = await temporaryFolder();
    const onWorkerExit = (reason: string) => exits.push(reason);
    const engine = await startEngine(versions, { workerFile, onWorkerExit }, directory);
    const running = predictHeavy(engine, 512);
    await expect.poll(() => existsSync(join(directory, batchTaken)), { interval: 1 }).toBe(true);
    const killed = engine.predict({ ...predictDoubling, rows: [valuesRow(poison)] });
    expect(await running).toHaveLength(512);
    expect((await killed)[0]).toMatchObject({ kind: 'failed' });
    expect(exits).toEqual(['exit code 3', 'exit code 3']);
  });

  test('that cannot be replaced fails what waits, and is tried again until it can', async () => {
    const directory = await temporaryFolder();
    const file = join(directory, brokenStart);
    const engine = await startEngine([doubling], { workerFile }, directory);
    writeFileSync(file, '');
    const error = await failureOf(engine.predict({ ...predictDoubling, rows: [valuesRow(poison)] }));
    expect(error).toMatchObject({ kind: 'unavailable', message: 'Predictions are not available now.' });
    const refused = failureOf(engine.predict({ ...predictDoubling, rows: [valuesRow(1)] }));
    expect(engine.pendingRows()).toBe(0);
    expect((await refused).kind).toBe('unavailable');
    rmSync(file);
    await expect
      .poll(() => engine.predict({ ...predictDoubling, rows: [valuesRow(1)] }).catch((cause) => cause), {
        timeout: 5000,
      })
      .toEqual([expect.objectContaining({ batchRows: 1 })]);
  });

  test('at the first start rejects instead of hanging', async () => {
    const directory = await temporaryFolder();
    writeFileSync(join(directory, brokenStart), '');
    await expect(startEngine([doubling], { workerFile, workers: 2 }, directory)).rejects.toThrow('exit code 5');
  });

  test('does not take a version with it, unless its file changed meanwhile', async () => {
    const directory = await temporaryFolder();
    const folder = await writeTestVersion(directory, doubling);
    await writeTestVersion(directory, { ...doubling, version: '2' });
    const repository = await scanModelRepository(directory);
    const engine = await createWorkerEngine({ repository, workers: 1, workerFile });
    onTestFinished(() => engine.close());
    writeFileSync(join(folder, 'model.onnx'), 'other bytes');
    await engine.predict({ ...predictDoubling, rows: [valuesRow(poison)] });
    const [result] = await engine.predict({ model: 'doubling', version: '2', rows: [valuesRow(2)] });
    expect(numbersOf(result, 'doubled')).toEqual([4]);
    expect(engine.versions().map(({ version }) => version)).toEqual(['2']);
    expect(engine.failures()).toEqual([expect.objectContaining({ error: expect.stringMatching(/sha256/) })]);
  });
});

test('a batch that the runtime refuses fails its rows, without its words in the message', async () => {
  // An index out of bounds is found only while the batch runs.
  const graph: TestVersion['graph'] = {
    inputs: [{ name: 'ids', type: 'int32', shape: ['batch', 'tokens'] }],
    outputs: [{ name: 'out', type: 'float32', shape: ['batch', 'tokens'] }],
    nodes: [{ operator: 'Gather', inputs: ['table', 'ids'], outputs: ['out'] }],
    constants: [{ name: 'table', type: 'float32', shape: [3], data: Float32Array.of(0, 10, 20) }],
  };
  const engine = await startEngine([{ name: 'lookup', version: '1', graph }]);
  const predict = (id: number) =>
    engine.predict({ model: 'lookup', version: '1', rows: [{ ids: { data: Int32Array.of(id), dims: [1] } }] });
  const [failed] = await predict(77);
  expect(failed).toBeInstanceOf(InferenceError);
  expect(failed).toMatchObject({ kind: 'failed', message: 'The model lookup/1 failed on this input.' });
  expect(((failed as InferenceError).cause as Error).message).toMatch(/indices/);
  expect(numbersOf((await predict(2))[0], 'out')).toEqual([20]);
});

describe('what waits', () => {
  test('is refused at once when the queue is full', async () => {
    const engine = await startEngine([doubling, heavy], { maxQueuedRows: 300 });
    const running = predictHeavy(engine);
    await turn(); // a batch starts at the end of the macrotask
    const waiting = engine.predict({ ...predictDoubling, rows: new Array(299).fill(valuesRow(1)) });
    expect(engine.pendingRows()).toBe(256 + 299);
    const startedAt = performance.now();
    const error = await failureOf(engine.predict({ ...predictDoubling, rows: [valuesRow(1), valuesRow(2)] }));
    expect(error.kind).toBe('overloaded');
    expect(performance.now() - startedAt).toBeLessThan(10);
    expect(await running).toHaveLength(256);
    expect(await waiting).toHaveLength(299);
    expect(await engine.predict({ ...predictDoubling, rows: [valuesRow(1), valuesRow(2)] })).toHaveLength(2);
  });

  test('is dropped when its signal fires or its deadline passes', async () => {
    let batches = 0;
    const engine = await startEngine([doubling, heavy], { onBatch: () => batches++ });
    const running = predictHeavy(engine);
    await turn(); // a batch starts at the end of the macrotask
    const controller = new AbortController();
    const rows = [valuesRow(1)];
    const aborted = failureOf(engine.predict({ ...predictDoubling, rows, signal: controller.signal }));
    const late = failureOf(engine.predict({ ...predictDoubling, rows, deadlineMs: 5 }));
    controller.abort();
    expect((await aborted).kind).toBe('aborted');
    expect((await late).kind).toBe('timeout');
    expect(engine.pendingRows()).toBe(256);
    await running;
    await sleep(20);
    expect(batches).toBe(1);
  });

  test('never waits when its signal has fired or its deadline has passed already', async () => {
    const engine = await startEngine([doubling], { onBatch: () => expect.unreachable() });
    const request = { ...predictDoubling, rows: [valuesRow(1)] };
    expect((await failureOf(engine.predict({ ...request, signal: AbortSignal.abort() }))).kind).toBe('aborted');
    expect((await failureOf(engine.predict({ ...request, deadlineMs: 0 }))).kind).toBe('timeout');
  });
});

describe('close', () => {
  test('lets the running batch end and aborts what waits and what comes', async () => {
    const engine = await startEngine([doubling, heavy]);
    const running = predictHeavy(engine);
    await turn(); // a batch starts at the end of the macrotask
    const waiting = failureOf(engine.predict({ ...predictDoubling, rows: [valuesRow(1)] }));
    const closed = engine.close();
    expect((await waiting).kind).toBe('aborted');
    expect((await failureOf(predictHeavy(engine))).kind).toBe('aborted');
    expect(outputOf((await running)[0]).batchRows).toBe(256);
    await closed;
    await engine.close();
  });

  test('waits no longer than its grace, and the thread ends by itself', async () => {
    const stdout = await runAlone(heavy, {
      options: '{ repository, workers: 1, closeGraceMs: 1 }',
      body: `
        const rows = new Array(1024).fill({ x: { data: new Float32Array(512), dims: [512] } });
        const running = engine.predict({ model: 'heavy', version: '1', rows }).catch((error) => error.kind);
        await new Promise(setImmediate);
        await engine.close();
        console.log(await running);`,
    });
    expect(stdout).toBe('aborted\n');
  });

  test('leaves nothing that keeps the process alive, even while a worker is being replaced', async () => {
    const stdout = await runAlone(doubling, {
      options: `{ repository, workers: 2, workerFile: new URL(${JSON.stringify(workerFile.href)}) }`,
      body: `
        const rowOf = (value) => ({ values: { data: Float32Array.of(value), dims: [1] } });
        const predict = (value) =>
          engine.predict({ model: 'doubling', version: '1', rows: [rowOf(value)], deadlineMs: 60000 });
        await predict(${poison});
        const [result] = await predict(4);
        predict(${poison}).catch(() => {});
        await new Promise(setImmediate);
        await engine.close();
        console.log(result.outputs.doubled.data[0]);`,
    });
    expect(stdout).toBe('8\n');
  });
});

// A process of its own shows whether it ends by itself, and how.
async function runAlone(version: TestVersion, script: { options: string; body: string }): Promise<string> {
  const directory = await temporaryFolder();
  await writeTestVersion(directory, version);
  const importOf = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  const source = `
    import { scanModelRepository } from ${importOf('./repository.ts')};
    import { createWorkerEngine } from ${importOf('./worker-engine.ts')};
    const repository = await scanModelRepository(process.argv[1]);
    const engine = await createWorkerEngine(${script.options});
    ${script.body}`;
  const args = ['--input-type=module', '--eval', source, directory];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { timeout: 10_000 });
  expect(stderr).toBe('');
  return stdout;
}
