import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';
import type { GraphQLError } from 'graphql';
import type { Registry } from 'prom-client';
import { overloaded } from '../errors.ts';
import type { Admission } from './admission.ts';
import { type BaseHeaders, setBaseHeaders, setHeaders } from './base-headers.ts';
import { createCors } from './cors.ts';
import { sendNegotiated } from './encoding/send-negotiated.ts';
import { badRequest, errorAnswer, sendErrorAnswer } from './error-answer.ts';
import { type Exchange, type LongWay, noteExchange } from './exchange.ts';
import { refuseMalformed } from './malformed-request.ts';
import { createPlainWay, type PlainWays } from './plain-requests.ts';
import { assignRequestId } from './request-id.ts';
import { createSecurityHeaders, defaultCacheControl } from './security-headers.ts';
import { isDocumentPath, readDocumentPath } from './trusted-documents/document-path.ts';

/** What /readyz says: ready or not, and why. */
export interface Readiness {
  isReady: boolean;
  details: Record<string, unknown>;
}

/** What can be read as figures: a registry, or several as one. */
export type FigurePage = Pick<Registry, 'contentType' | 'metrics'>;

export interface ListenerOptions extends PlainWays {
  /** Yoga; what it returns settles when the answer is written. */
  graphql: (request: IncomingMessage, response: ServerResponse) => unknown;
  readiness(): Promise<Readiness>;
  /** What /metrics answers. */
  registry: FigurePage;
  /** false: metrics have a port of their own. */
  servesMetrics: boolean;
  /** Default: every request is let in. */
  admission?: Admission;
  /** Default: none, so no CORS headers. */
  corsOrigins?: readonly string[];
  /** How many proxies in front tell of the client. Default: 0. */
  trustedProxies?: number;
}

const paths = ['/graphql', '/graphql/ID', '/healthz', '/readyz', '/metrics'];

/** The whole HTTP surface. Health and metrics are answered before GraphQL is reached, so that they are quick under load. */
export function createListener(options: ListenerOptions): RequestListener {
  const { readiness, registry, servesMetrics, trustedProxies = 0 } = options;
  const securityHeaders = createSecurityHeaders(trustedProxies);
  const serveGraphql = createGraphqlListener(options);
  return (request, response) => {
    const path = pathOf(request.url ?? '/');
    if (path === '/graphql' || isDocumentPath(path)) return serveGraphql(request, response);
    setHeaders(response, [...securityHeaders(request), ...defaultCacheControl]);
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuseMethod(request, response, path);
    if (path === '/healthz') return sendJson(response, 200, { status: 'alive' });
    if (path === '/readyz') return sendReadiness(response, readiness);
    if (path === '/metrics' && servesMetrics) return sendMetrics(request, response, registry);
    if (path === '/') return redirect(response, '/graphql');
    return sendJson(response, 404, { error: 'not found', paths });
  };
}

/** A listener for METRICS_PORT: metrics only. */
export function createMetricsListener(registry: FigurePage): RequestListener {
  const securityHeaders = createSecurityHeaders(0);
  return (request, response) => {
    setHeaders(response, [...securityHeaders(request), ...defaultCacheControl]);
    if (pathOf(request.url ?? '/') === '/metrics') sendMetrics(request, response, registry);
    else sendJson(response, 404, { error: 'not found' });
  };
}

/** What a connection may take: a client that is slow on purpose costs a socket for this long, and no more. */
export interface ListenLimits {
  /** From the first byte of a request to the end of its headers. Default: 10,000. */
  headersTimeoutMs?: number;
  /** From the first byte of a request to the end of its body. Default: 30,000. */
  requestTimeoutMs?: number;
  /** How often the two above are looked at. Default: 1,000. */
  checkIntervalMs?: number;
  /** How long a connection may wait for its next request; longer than a load balancer's 60 s. Default: 65,000. */
  keepAliveTimeoutMs?: number;
  /** Bytes of a request's line and headers. Default: 16,384. */
  maxHeaderBytes?: number;
  /** Headers of a request that are read; the rest is ignored. Default: 100. */
  maxHeaderCount?: number;
}

/** Listens, and resolves with the server and the port it got. Rejects when the port is taken. */
export async function listen(
  listener: RequestListener,
  host: string,
  port: number,
  limits: ListenLimits = {},
): Promise<{ server: Server; port: number }> {
  const server = createHttpServer(listener, limits);
  await listening(server, { host, port });
  return { server, port: (server.address() as AddressInfo).port };
}

/** Listens on a Unix socket. Rejects when there is a file already. */
export async function listenOnSocket(listener: RequestListener, path: string): Promise<Server> {
  const server = createHttpServer(listener, {});
  await listening(server, { path });
  return server;
}

function createHttpServer(listener: RequestListener, limits: ListenLimits): Server {
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs ?? 10_000,
      requestTimeout: limits.requestTimeoutMs ?? 30_000,
      connectionsCheckingInterval: limits.checkIntervalMs ?? 1_000,
      keepAliveTimeout: limits.keepAliveTimeoutMs ?? 65_000,
      maxHeaderSize: limits.maxHeaderBytes ?? 16_384,
      // No stream is set up for the body of a request that has none.
      optimizeEmptyRequests: true,
    },
    listener,
  );
  server.maxHeadersCount = limits.maxHeaderCount ?? 100;
  server.maxRequestsPerSocket = 0;
  server.on('clientError', refuseMalformed);
  return server;
}

function listening(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** What comes before Yoga: the request's id, CORS, and whether there is room for it at all. */
function createGraphqlListener(options: ListenerOptions): RequestListener {
  const { graphql, admission, corsOrigins = [], trustedProxies = 0 } = options;
  const securityHeaders = createSecurityHeaders(trustedProxies);
  const cors = createCors(corsOrigins);
  const servePlain = createPlainWay(options);
  // Nearly all requests name one host, and parsing takes 1 µs.
  let knownHost: string | null = null;
  const goLongWay: LongWay = (exchange) => {
    const { request, response, base } = exchange;
    noteExchange(exchange);
    setBaseHeaders(response, base);
    request.url = readDocumentPath(request.url!) ?? request.url!;
    graphql(request, response);
  };
  return (request, response) => {
    const requestId = assignRequestId(request);
    const { headers, vary, isPreflight } = cors(request);
    const base: BaseHeaders = { headers: [...securityHeaders(request), 'x-request-id', requestId, ...headers], vary };
    if (isPreflight) {
      setBaseHeaders(response, base);
      return response.writeHead(204).end();
    }
    const exchange: Exchange = {
      request,
      response,
      requestId,
      base,
      body: null,
      verdict: undefined,
      deadline: null,
      execution: null,
    };
    // Yoga builds a URL of it, outside of what catches its errors.
    const { host = 'localhost' } = request.headers;
    if (host !== knownHost && !URL.canParse(`http://${host}`)) {
      return refuse(exchange, badRequest(400, 'host: expected the name of a host'));
    }
    knownHost = host;
    if (admission && admission.enter() !== null) {
      const error = overloaded('The server has too much to do: nothing was done, try again later');
      return refuse(exchange, error);
    }
    const isAnswered = servePlain(exchange, goLongWay);
    if (!admission) return;
    // With its last byte out there is no work left, and a listener less is a listener saved.
    if (isAnswered && response.writableLength === 0) admission.leave();
    else response.once('close', () => admission.leave());
  };
}

function refuse({ request, response, requestId, base }: Exchange, error: GraphQLError): void {
  setBaseHeaders(response, base);
  sendErrorAnswer(response, errorAnswer(error, requestId, request.headers.accept));
}

function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

function refuseMethod(request: IncomingMessage, response: ServerResponse, path: string): void {
  if (path !== '/' && !paths.includes(path)) {
    sendJson(response, 404, { error: 'not found', paths });
    return;
  }
  const error = badRequest(405, `expected GET, got ${request.method}`, { allow: 'GET, HEAD' });
  sendErrorAnswer(response, errorAnswer(error, assignRequestId(request), request.headers.accept));
}

function sendReadiness(response: ServerResponse, readiness: ListenerOptions['readiness']): void {
  readiness().then(
    ({ isReady, details }) =>
      sendJson(response, isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready', ...details }),
    () => sendJson(response, 503, { status: 'not ready' }),
  );
}

function sendMetrics(request: IncomingMessage, response: ServerResponse, registry: FigurePage): void {
  registry
    .metrics()
    .then((text) => sendNegotiated(request, response, registry.contentType, Buffer.from(text)))
    .catch(() => response.writeHead(500).end());
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location }).end();
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
