import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { createGpuLock, freeGpuLock, withGpuLock } from './gpu-lock.ts';

/** A thread that runs a script in which `withLock` holds the lock, and `shared` is memory of all threads. */
function startThread(lock: Int32Array, shared: Int32Array, script: string): Worker {
  const source = `const { parentPort, threadId, workerData } = require('node:worker_threads');
    const { lock, shared, file } = workerData;
    import(file).then(async ({ withGpuLock }) => {
      const withLock = (work) => withGpuLock(lock, threadId, work);
      ${script}
    });`;
  const file = new URL('./gpu-lock.ts', import.meta.url).href;
  return new Worker(source, { eval: true, execArgv: [], workerData: { lock, shared, file } });
}

test('only one thread at a time is within the lock, also while it awaits', async () => {
  const lock = createGpuLock();
  // How many are within, how often others were, and how many rounds there were.
  const shared = new Int32Array(new SharedArrayBuffer(12));
  const script = `for (let round = 0; round < 200; round++) await withLock(async () => {
      if (Atomics.add(shared, 0, 1) !== 0) Atomics.add(shared, 1, 1);
      await new Promise(setImmediate);
      Atomics.add(shared, 2, 1);
      Atomics.sub(shared, 0, 1);
    });`;
  const threads = Array.from({ length: 3 }, () => startThread(lock, shared, script));
  await Promise.all(threads.map((thread) => once(thread, 'exit')));
  expect([...shared]).toEqual([0, 0, 600]);
});

test('is freed by work that fails', async () => {
  const lock = createGpuLock();
  await expect(withGpuLock(lock, 0, () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  expect(await withGpuLock(lock, 1, async () => 'next')).toBe('next');
});

test('of a thread that died within is freed by its id, and by no other', async () => {
  const lock = createGpuLock();
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const holder = startThread(lock, shared, 'await withLock(async () => process.exit(1));');
  const { threadId } = holder;
  await once(holder, 'exit');
  const waiter = startThread(lock, shared, 'await withLock(async () => parentPort.postMessage("within"));');
  const within = once(waiter, 'message');
  freeGpuLock(lock, threadId + 100);
  expect(Atomics.load(lock, 0)).toBe(threadId + 1);
  freeGpuLock(lock, threadId);
  expect(await within).toEqual(['within']);
});
