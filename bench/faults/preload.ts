/**
 * Switches of the fault suite in the server's process: SIGUSR2 ends its inference workers as a crash would, SIGPWR throws
 * where nobody catches.
 */
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

const channel = new BroadcastChannel('tributary-faults') as BroadcastChannel & { unref(): void };
channel.unref();
if (isMainThread) {
  process.on('SIGUSR2', () => channel.postMessage('end'));
  process.on('SIGPWR', () => {
    setImmediate(() => {
      throw new Error('a fault of the fault suite');
    });
  });
} else {
  channel.onmessage = () => process.exit(1);
}
