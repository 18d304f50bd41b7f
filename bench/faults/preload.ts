/**
 * Switches of the fault suite in the server's process: SIGUSR2 ends its inference workers as a crash would, SIGPWR throws
 * where nobody catches.
 */
import { syncBuiltinESMExports } from 'node:module';
import workerThreads, { BroadcastChannel, isMainThread } from 'node:worker_threads';

const channel = new BroadcastChannel('tributary-faults') as BroadcastChannel & { unref(): void };
channel.unref();
if (isMainThread) {
  const { Worker } = workerThreads;
  // Workers do not inherit --import.
  workerThreads.Worker = class extends Worker {
    constructor(file: string | URL, options: object) {
      super(file, { ...options, execArgv: ['--import', import.meta.url] });
    }
  };
  syncBuiltinESMExports();
  process.on('SIGUSR2', () => channel.postMessage('end'));
  process.on('SIGPWR', () => {
    setImmediate(() => {
      throw new Error('a fault of the fault suite');
    });
  });
} else {
  channel.onmessage = () => process.exit(1);
}
