/** A worker thread that does nothing but run a session: what the engine is compared with. */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Batch, RowInput } from './workload.ts';

export interface RawSetup {
  readonly modelPath: string;
  readonly output: string;
  readonly input: RowInput;
}

export type RawTask =
  /** Runs the batch over and over; answers rows per second. */
  | { readonly type: 'loop'; readonly batch: Batch; readonly seconds: number }
  /** Runs the batch so many times with a pause of 1 ms before each; answers the milliseconds of each run. */
  | { readonly type: 'time'; readonly batch: Batch; readonly runs: number }
  /** Runs each row alone; answers their outputs. */
  | { readonly type: 'answer'; readonly batch: Batch }
  /** Runs the batch once; answers how many numbers came out. */
  | { readonly type: 'run'; readonly batch: Batch }
  | { readonly type: 'close' };

const port = parentPort!;
const { modelPath, output, input } = workerData as RawSetup;
const options = { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 };
const session = await InferenceSession.create(modelPath, options);

async function run({ data, rows }: Batch): Promise<Float32Array> {
  const tensor = new Tensor(input.type, data as Float32Array, [rows, input.length]);
  const results = await session.run({ [input.name]: tensor }, [output]);
  return results[output]!.data as Float32Array;
}

async function loop(batch: Batch, seconds: number): Promise<number> {
  await run(batch);
  const startedAt = performance.now();
  let rows = 0;
  while (performance.now() - startedAt < seconds * 1_000) {
    await run(batch);
    rows += batch.rows;
  }
  return (rows * 1_000) / (performance.now() - startedAt);
}

async function time(batch: Batch, runs: number): Promise<number[]> {
  const durationsMs: number[] = [];
  for (let index = 0; index < runs; index++) {
    await pause(1);
    const startedAt = performance.now();
    await run(batch);
    durationsMs.push(performance.now() - startedAt);
  }
  return durationsMs;
}

async function answer({ data, rows }: Batch): Promise<Float32Array[]> {
  const outputs: Float32Array[] = [];
  for (let row = 0; row < rows; row++) {
    outputs.push(await run({ data: data.subarray(row * input.length, (row + 1) * input.length), rows: 1 }));
  }
  return outputs;
}

port.on('message', async (task: RawTask) => {
  if (task.type === 'loop') port.postMessage(await loop(task.batch, task.seconds));
  if (task.type === 'time') port.postMessage(await time(task.batch, task.runs));
  if (task.type === 'answer') port.postMessage(await answer(task.batch));
  if (task.type === 'run') port.postMessage((await run(task.batch)).length);
  if (task.type === 'close') {
    await session.release();
    port.close();
  }
});
