import { setTimeout as pause } from 'node:timers/promises';
import { findFreePort } from '../../src/testing/free-port.ts';
import { type ServerProcess, startServer } from '../faults/server-process.ts';
import { complaintsOf } from '../faults/world.ts';
import { pin, serverCore } from '../process-cpu.ts';
import type { Production } from './production.ts';
import { type OpenLoop, startOpenLoop } from './running-load.ts';
import { workLeft } from './server-figures.ts';

/** A mix of requests, and the server that it is for. */
export interface LoadedServer {
  readonly server: ServerProcess;
  readonly load: OpenLoop;
  stop(): Promise<void>;
}

export interface LoadedServerOptions {
  readonly production: Production;
  /** Of requests: those of the cached mix. */
  readonly cachedShare: number;
  readonly maxConnections: number;
  /** Modules that are loaded into the server's process before it. */
  readonly preloads?: readonly URL[];
  /** Over those of production. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The cached mix is as uneven as bench cached-mix has it. */
const zipfExponent = 1.2;
const quietLimitMs = 5_000;

/** The server on the first core, the load on the last. */
export async function startLoadedServer(options: LoadedServerOptions): Promise<LoadedServer> {
  const { production, cachedShare, maxConnections, preloads = [], environment } = options;
  const port = await findFreePort();
  const server = await startServer(port, {
    ...production.environment,
    NODE_OPTIONS: preloads.map((url) => `--import=${url}`).join(' '),
    ...environment,
  });
  pin(server.pid, serverCore);
  const load = await startOpenLoop({
    port,
    tenants: production.tenants,
    maxConnections,
    cachedShare,
    zipfExponent,
    databaseUrl: production.environment.DATABASE_URL!,
  }).catch(async (error) => {
    await server.stop();
    throw error;
  });
  return {
    server,
    load,
    async stop() {
      load.stop();
      await server.stop();
    },
  };
}

/** What must not be there when all requests have ended: work that is stuck, and lines of the log that speak of a fault. */
export async function leftOvers(server: ServerProcess): Promise<string[]> {
  const untilMs = performance.now() + quietLimitMs;
  for (;;) {
    const left = await workLeft(server.origin);
    if (left.length === 0 || performance.now() > untilMs) return [...left, ...complaintsOf(server)];
    await pause(100);
  }
}
