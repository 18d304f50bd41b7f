/** Inference servers on sockets of loopback for tests: our own, and a foreign one that knows less. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import type { InferenceEngine } from '../engine.ts';
import { createInferenceListener, type InferenceListenerOptions } from './server.ts';

export interface ServedEngine {
  /** Such as http://127.0.0.1:41234. */
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  /** Ends it at once, with all connections. */
  stop(): Promise<void>;
}

/** Serves on a port (0: a free one) until the test is over. */
export async function serve(listener: RequestListener, port = 0): Promise<ServedEngine> {
  const server = createServer(listener).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: actual } = server.address() as AddressInfo;
  const stop = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  onTestFinished(stop);
  return { url: `http://127.0.0.1:${actual}`, port: actual, server, stop };
}

/** Serves an engine as `npm run inference` does. */
export function serveEngine(
  engine: InferenceEngine,
  options: Partial<InferenceListenerOptions> = {},
  port = 0,
): Promise<ServedEngine> {
  const registry = new Registry();
  const defaults = { engine, registry, version: '0', isDraining: () => false };
  return serve(createInferenceListener({ ...defaults, ...options }), port);
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
