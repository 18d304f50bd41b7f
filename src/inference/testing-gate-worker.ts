/** worker.ts, but no message reaches it while the file of the environment variable TEST_GATE exists. */
import { existsSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

const nap = new Int32Array(new SharedArrayBuffer(4));

parentPort?.on('message', () => {
  while (existsSync(process.env.TEST_GATE ?? '')) Atomics.wait(nap, 0, 0, 2);
});
await import('./worker.ts');
