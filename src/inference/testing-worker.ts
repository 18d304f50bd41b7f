/** worker.ts, but certain values kill the thread before their batch runs. Tests give this file to the engine. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { MessageToWorker, WorkerSetup } from './worker-messages.ts';

/** Kills every worker that is given it. */
export const poison = 666;
/** Kills only the first worker that is given it: the one that creates the file `poisoned` in the repository. */
export const poisonOnce = 667;

/** As long as the repository has a file of this name, no worker starts. */
export const brokenStart = 'broken-start';
/** In the repository since a worker is about to run a batch, and reads no message before that has ended. */
export const batchTaken = 'batch-taken';

// Tests import the constants too, perhaps in a thread of the test runner.
const modelPath = (workerData as Partial<WorkerSetup> | null)?.files?.[0]?.modelPath;
const repository = join(modelPath ?? '', '..', '..', '..');
if (modelPath !== undefined) {
  if (existsSync(join(repository, brokenStart))) process.exit(5);
  parentPort!.on('message', dieOfPoison);
  await import('./worker.ts');
}

function dieOfPoison(message: MessageToWorker): void {
  if (message.type !== 'run') return;
  // onnxruntime-node (1.30) runs in an immediate: it comes right after this one.
  setImmediate(() => writeFileSync(join(repository, batchTaken), ''));
  const values = new Set<number | bigint>(message.inputs[0]!.data);
  if (values.has(poison)) process.exit(3);
  const poisoned = join(repository, 'poisoned');
  if (values.has(poisonOnce) && !existsSync(poisoned)) {
    writeFileSync(poisoned, '');
    process.exit(4);
  }
}
