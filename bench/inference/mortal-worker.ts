/** The engine's worker thread, but the soak can end it as a crash would. */
import { BroadcastChannel, threadId } from 'node:worker_threads';

export interface DieMessage {
  readonly threadId: number;
}

const channel = new BroadcastChannel('tributary-soak') as BroadcastChannel & { unref(): void };
channel.unref();
// Never within a run: that holds the thread, so the message comes before or after it.
channel.onmessage = (event) => {
  const message = (event as { data: DieMessage }).data;
  if (message.threadId === threadId) process.exit(1);
};
await import('../../src/inference/worker.ts');
