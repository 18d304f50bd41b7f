/**
 * One use of the GPU at a time in the whole process: two concurrent runs with WebGPU crash onnxruntime-node 1.30 on Linux
 * (microsoft/onnxruntime#32561). Workers share the lock's memory, the main thread frees what a dead one held.
 */

/** 0: free, else the thread id of who holds it plus 1, as the main thread's is 0. */
export type GpuLock = Int32Array<SharedArrayBuffer>;

/** To be made once in a process, and handed to all workers. */
export function createGpuLock(): GpuLock {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Blocks the thread until the lock is free, then holds it until the work has settled. Not to be called within the work. */
export async function withGpuLock<Result>(
  lock: GpuLock,
  threadId: number,
  work: () => Promise<Result>,
): Promise<Result> {
  acquire(lock, threadId);
  try {
    return await work();
  } finally {
    freeGpuLock(lock, threadId);
  }
}

/** Frees the lock when that thread holds it; for threads that ended, too. */
export function freeGpuLock(lock: GpuLock, threadId: number): void {
  if (Atomics.compareExchange(lock, 0, threadId + 1, 0) === threadId + 1) Atomics.notify(lock, 0);
}

function acquire(lock: GpuLock, threadId: number): void {
  for (;;) {
    const holder = Atomics.compareExchange(lock, 0, 0, threadId + 1);
    if (holder === 0) return;
    Atomics.wait(lock, 0, holder);
  }
}
