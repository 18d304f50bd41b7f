import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { RawSetup, RawTask } from '../inference/raw-worker.ts';

/** One batch for a model, its rows of one length. */
export interface RawModelSetup extends RawSetup {
  /** All rows, one behind the other. */
  readonly values: readonly number[];
}

export interface RawModel {
  /** Runs the batch once, after all runs that were asked for before. */
  run(): Promise<string>;
}

/** A thread that does nothing but run the batch. */
export function startRawModel({ values, ...setup }: RawModelSetup): RawModel {
  const file = new URL('../inference/raw-worker.ts', import.meta.url);
  const worker = new Worker(file, { workerData: setup satisfies RawSetup });
  const { type, length } = setup.input;
  const data = type === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
  const task: RawTask = { type: 'run', batch: { data, rows: values.length / length } };
  const runOnce = async () => {
    worker.postMessage(task);
    const [numbers] = await once(worker, 'message');
    return JSON.stringify({ data: numbers });
  };
  let last: Promise<unknown> = Promise.resolve();
  return {
    run() {
      const answer = last.then(runOnce);
      last = answer.catch(() => {});
      return answer;
    },
  };
}
