/** Worker threads that run a session without the engine, as many as the engine has. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { RawSetup, RawTask } from './raw-worker.ts';
import { type Batch, nextBatch, type Workload } from './workload.ts';

export interface RawPool {
  /** Of all threads together, each with batches of so many rows. */
  rowsPerSecond(batchRows: number, seconds: number): Promise<number>;
  /** Milliseconds of each run of one row, on one thread, with a pause before each. */
  timeRuns(runs: number): Promise<number[]>;
  /** The outputs of rows that each ran alone. */
  answer(batch: Batch): Promise<Float32Array[]>;
  close(): Promise<void>;
}

export function startRawPool(workload: Workload, threads: number): RawPool {
  const { output, input, files } = workload;
  const setup: RawSetup = { modelPath: files.modelPath, output, input };
  const file = new URL('./raw-worker.ts', import.meta.url);
  const workers = Array.from({ length: threads }, () => new Worker(file, { workerData: setup }));
  const ask = async <Answer>(worker: Worker, task: RawTask): Promise<Answer> => {
    worker.postMessage(task);
    const [answer] = await once(worker, 'message');
    return answer;
  };
  return {
    async rowsPerSecond(batchRows, seconds) {
      const loop = (worker: Worker) =>
        ask<number>(worker, { type: 'loop', batch: nextBatch(workload, batchRows), seconds });
      const rates = await Promise.all(workers.map(loop));
      return rates.reduce((sum, rate) => sum + rate, 0);
    },
    timeRuns: (runs) => ask(workers[0]!, { type: 'time', batch: nextBatch(workload, 1), runs }),
    answer: (batch) => ask(workers[0]!, { type: 'answer', batch }),
    async close() {
      const close = async (worker: Worker) => {
        const exited = once(worker, 'exit');
        worker.postMessage({ type: 'close' } satisfies RawTask);
        await exited;
      };
      await Promise.all(workers.map(close));
    },
  };
}
