import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** What /readyz says: ready or not, and why. */
export interface Readiness {
  isReady: boolean;
  details: Record<string, unknown>;
}

export interface ListenerOptions {
  graphql: RequestListener;
  readiness(): Promise<Readiness>;
  registry: Registry;
  /** false: metrics have a port of their own. */
  servesMetrics: boolean;
}

/** The whole HTTP surface. Health and metrics are answered before GraphQL is reached, so that they are quick under load. */
export function createListener({ graphql, readiness, registry, servesMetrics }: ListenerOptions): RequestListener {
  return (request, response) => {
    const path = pathOf(request);
    if (path === '/graphql') return graphql(request, response);
    if (path === '/healthz') return sendJson(response, 200, { status: 'alive' });
    if (path === '/readyz') return sendReadiness(response, readiness);
    if (path === '/metrics' && servesMetrics) return sendMetrics(response, registry);
    if (path === '/') return redirect(response, '/graphql');
    return sendJson(response, 404, { error: 'not found', paths: ['/graphql', '/healthz', '/readyz', '/metrics'] });
  };
}

/** A listener for METRICS_PORT: metrics only. */
export function createMetricsListener(registry: Registry): RequestListener {
  return (request, response) =>
    pathOf(request) === '/metrics' ? sendMetrics(response, registry) : sendJson(response, 404, { error: 'not found' });
}

/** Listens, and resolves with the server and the port it got. Rejects when the port is taken. */
export function listen(
  listener: RequestListener,
  host: string,
  port: number,
): Promise<{ server: Server; port: number }> {
  const server = createServer({ keepAliveTimeout: 65_000, headersTimeout: 10_000, requestTimeout: 30_000 }, listener);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve({ server, port: (server.address() as AddressInfo).port }));
  });
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0]!;
}

function sendReadiness(response: ServerResponse, readiness: ListenerOptions['readiness']): void {
  readiness().then(
    ({ isReady, details }) =>
      sendJson(response, isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready', ...details }),
    () => sendJson(response, 503, { status: 'not ready' }),
  );
}

function sendMetrics(response: ServerResponse, registry: Registry): void {
  registry.metrics().then(
    (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
    () => response.writeHead(500).end(),
  );
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location }).end();
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify(body));
}
