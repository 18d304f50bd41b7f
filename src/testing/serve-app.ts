import type { Server } from 'node:http';
import { createListener, type ListenerOptions, type ListenLimits, listen } from '../http/listener.ts';
import { createReadiness } from '../http/readiness.ts';
import type { TestApp } from './test-app.ts';

export interface ServedApp {
  /** Such as http://127.0.0.1:41234. */
  origin: string;
  port: number;
  server: Server;
  /** Ends every connection and the app. */
  close(): Promise<void>;
}

export interface ServeOptions extends Partial<ListenerOptions> {
  limits?: ListenLimits;
}

/** Serves a test app on a free port of loopback, with the whole HTTP surface. */
export async function serveApp(
  app: TestApp,
  isDraining: () => boolean = () => false,
  { limits, ...options }: ServeOptions = {},
): Promise<ServedApp> {
  const listener = createListener({
    graphql: app.handler,
    hitPath: app.hitPath,
    directPath: app.directPath,
    readiness: createReadiness(app.database.pool, app.inference, isDraining),
    registry: app.registry,
    servesMetrics: true,
    ...options,
  });
  const { server, port } = await listen(listener, '127.0.0.1', 0, limits);
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    server,
    async close() {
      server.closeAllConnections();
      server.close();
      await app.close();
    },
  };
}
