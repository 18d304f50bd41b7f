/** The main thread's side of one worker thread: it loads, then runs one batch after the other, then ends. */
import { Worker } from 'node:worker_threads';
import { freeGpuLock } from './gpu-lock.ts';
import {
  buffersOf,
  type DoneMessage,
  type MessageFromWorker,
  type MessageToWorker,
  type ReadyMessage,
  type RunMessage,
  type WorkerSetup,
} from './worker-messages.ts';

/** The thread ended while something was expected of it. */
export class WorkerDied extends Error {}

export interface WorkerThread {
  /** Rejects with WorkerDied when the thread ends before it has loaded. */
  readonly ready: Promise<ReadyMessage>;
  /** Resolves when the thread is gone, with the reason in one line. Never rejects. */
  readonly exited: Promise<string>;
  /** Alive, with its versions loaded. */
  isLoaded(): boolean;
  /** Batches that it has, the running one included; null when it has not loaded or is gone. */
  batches(): number | null;
  /** When the running batch started; performance.now(). */
  startedAt(): number;
  /**
   * Takes over the arrays of the inputs. A batch that comes while another runs is staged, and `onStart` called when its
   * turn comes. Rejects with WorkerDied, or with what the runtime said of this batch.
   */
  run(message: RunMessage, onStart?: () => void): Promise<DoneMessage>;
  /**
   * Tells the thread to end after what it does now, and waits for that, at most `graceMs`. Never by force: terminate()
   * during native work aborts the whole process (onnxruntime-node 1.30: uncaught Napi::Error), and so does process.exit().
   */
  close(graceMs: number): Promise<void>;
}

interface Given {
  readonly onStart: (() => void) | undefined;
  resolve(message: DoneMessage): void;
  reject(error: Error): void;
}

/** Starts a thread. `onIdle` is called when it has loaded and after each batch, before that batch's promise settles. */
export function startWorkerThread(file: URL, setup: WorkerSetup, onIdle: () => void): WorkerThread {
  // Options of the main thread are not inherited: some, such as --eval's, end a worker at once.
  const worker = new Worker(file, { workerData: setup, name: 'inference', execArgv: [] });
  const { threadId } = worker; // -1 after its end
  const ready = Promise.withResolvers<ReadyMessage>();
  const exited = Promise.withResolvers<string>();
  let isReady = false;
  /** In the order of their runs: the first one runs. */
  const given: Given[] = [];
  let startedAt = 0;
  let failure: string | null = null;

  worker.on('message', (message: MessageFromWorker) => {
    if (message.type === 'ready') {
      isReady = true;
      ready.resolve(message);
    } else {
      const finished = given.shift();
      if (message.type === 'done') finished?.resolve(message);
      else finished?.reject(new Error(message.error));
      startedAt = performance.now();
      given[0]?.onStart?.();
    }
    onIdle();
  });
  worker.on('error', (error) => {
    failure = error instanceof Error ? error.message : String(error);
  });
  worker.on('exit', (code) => {
    isReady = false;
    if (setup.gpuLock !== undefined) freeGpuLock(setup.gpuLock, threadId);
    const reason = failure ?? `exit code ${code}`;
    exited.resolve(reason);
    ready.reject(new WorkerDied(reason));
    for (const { reject } of given.splice(0)) reject(new WorkerDied(reason));
  });

  return {
    ready: ready.promise,
    exited: exited.promise,
    isLoaded: () => isReady,
    batches: () => (isReady ? given.length : null),
    startedAt: () => startedAt,
    run(message, onStart) {
      const { promise, resolve, reject } = Promise.withResolvers<DoneMessage>();
      worker.postMessage(message, buffersOf(message.inputs));
      if (given.length === 0) startedAt = performance.now();
      given.push({ onStart, resolve, reject });
      return promise;
    },
    async close(graceMs) {
      worker.postMessage({ type: 'close' } satisfies MessageToWorker);
      const grace = Promise.withResolvers<void>();
      const timer = setTimeout(grace.resolve, graceMs);
      await Promise.race([exited.promise, grace.promise]);
      clearTimeout(timer);
    },
  };
}
