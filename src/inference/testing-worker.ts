/** worker.ts, but certain values kill the thread before their batch runs. Tests give this file to the engine. */
import { existsSync, writeFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { MessageToWorker, WorkerSetup } from './worker-messages.ts';

/** Kills every worker that is given it. */
export const poison = 666;
/** Kills only the first worker that is given it: the one that creates the file which TEST_POISON_FILE names. */
export const poisonOnce = 667;

// Tests import the constants too, perhaps in a thread of the test runner.
const isInferenceWorker = (workerData as Partial<WorkerSetup> | null)?.files !== undefined;
if (isInferenceWorker) {
  if (existsSync(process.env.TEST_BROKEN_START ?? '')) process.exit(5);
  parentPort!.on('message', dieOfPoison);
  await import('./worker.ts');
}

function dieOfPoison(message: MessageToWorker): void {
  if (message.type !== 'run') return;
  const values = new Set<number | bigint>(message.inputs[0]!.data);
  if (values.has(poison)) process.exit(3);
  if (values.has(poisonOnce) && !existsSync(process.env.TEST_POISON_FILE!)) {
    writeFileSync(process.env.TEST_POISON_FILE!, '');
    process.exit(4);
  }
}
