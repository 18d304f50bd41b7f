import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What a process says of itself. */
export interface ProcessFigures {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  /** After the last full collection that came by itself; null: none yet. */
  readonly heapAfterCollectionBytes: number | null;
  readonly externalBytes: number;
  readonly arrayBuffersBytes: number;
  /** Since the look before. */
  readonly eventLoopDelayP50Ms: number;
  readonly eventLoopDelayP99Ms: number;
  readonly eventLoopDelayMaxMs: number;
  readonly sockets: number;
  /** Others that keep the process alive. */
  readonly handles: number;
}

export interface Probe {
  look(): Promise<ProcessFigures>;
  /** After a full garbage collection, which stops the process for its time. */
  collect(): Promise<ProcessFigures>;
  close(): void;
}

/** What a server is to load for it. */
export const probeModule = new URL('./probe.ts', import.meta.url);

export function probePath(pid: number): string {
  return join(tmpdir(), `tributary-probe-${pid}.sock`);
}

/** Of a server that has loaded the module and is ready. */
export async function openProbe(pid: number): Promise<Probe> {
  const socket = connect(probePath(pid));
  await once(socket, 'connect');
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const ask = async (what: string) => {
    socket.write(`${what}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error('the server has ended');
    return JSON.parse(value) as ProcessFigures;
  };
  return { look: () => ask('look'), collect: () => ask('collect'), close: () => void socket.destroy() };
}
