import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { killAtExit } from '../../src/testing/undo-at-exit.ts';
import type { Target } from './closed-loop.ts';

/** What can be sent to another process. */
export type BackgroundTarget = Pick<Target, 'url' | 'method' | 'body'> & { headers: Record<string, string> };

/**
 * Loads a server from another process, so that what is measured in this one does not wait for the load itself; resolves
 * when the first answer was there. To be ended by the function it gives.
 */
export async function startBackgroundLoad(target: Target, connections: number): Promise<() => Promise<void>> {
  const { url, method, headers, body } = target;
  const child = fork(fileURLToPath(new URL('./background-load.ts', import.meta.url)), [String(connections)]);
  killAtExit(child);
  const wanted: BackgroundTarget = { url, method, headers: { ...headers }, ...(body !== undefined && { body }) };
  child.send(wanted);
  await once(child, 'message');
  return async () => {
    const ended = once(child, 'exit');
    child.kill();
    await ended;
  };
}
