import { request } from 'node:http';
import { type ServeOptions, serveApp } from '../../testing/serve-app.ts';
import { createTestApp, type TestApp, type TestAppOptions } from '../../testing/test-app.ts';

/** What was answered, with all its headers. */
export interface Received {
  status: number;
  headers: Record<string, string>;
  /** As it came, compressed or not. */
  body: Buffer;
}

export interface Sent {
  method?: 'GET' | 'POST';
  path?: string;
  headers?: Record<string, string>;
  /** As JSON; a Buffer goes as it is. */
  body?: unknown;
}

/** Sends a request as it is told to, and nothing else: no Accept, no Accept-Encoding of its own. */
export function send(
  origin: string,
  { method = 'POST', path = '/graphql', headers = {}, body }: Sent,
): Promise<Received> {
  const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const { promise, resolve, reject } = Promise.withResolvers<Received>();
  const outgoing = request(`${origin}${path}`, {
    method,
    headers: {
      ...(bytes && { 'content-type': 'application/json', 'content-length': bytes.length }),
      ...headers,
    },
  });
  outgoing.once('error', reject).once('response', async (response) => {
    const chunks: Buffer[] = await response.toArray();
    resolve({
      status: response.statusCode!,
      headers: response.headers as Record<string, string>,
      body: Buffer.concat(chunks),
    });
  });
  outgoing.end(bytes);
  return promise;
}

export interface DirectServer {
  app: TestApp;
  origin: string;
  port: number;
  ask(sent: Sent): Promise<Received>;
  /** A POST of an operation; its answer as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read the answer's fields by name
  query(query: string, variables?: object, headers?: Record<string, string>): Promise<any>;
  /** Requests that went the long way since the last call. */
  takeLongWays(): number;
  close(): Promise<void>;
}

/** A test app on a port, which counts what goes the long way. */
export async function createDirectServer(
  options: TestAppOptions = {},
  serveOptions: ServeOptions = {},
): Promise<DirectServer> {
  const app = await createTestApp(options);
  let longWays = 0;
  const graphql: TestApp['handler'] = (incoming, response) => {
    longWays += 1;
    return app.handler(incoming, response);
  };
  const { origin, port, close } = await serveApp(app, () => false, { graphql, ...serveOptions });
  const ask = (sent: Sent) => send(origin, sent);
  return {
    app,
    origin,
    port,
    ask,
    async query(query, variables = {}, headers = {}) {
      const { status, body } = await ask({ body: { query, variables }, headers });
      return { status, ...(JSON.parse(body.toString()) as object) };
    },
    takeLongWays() {
      const taken = longWays;
      longWays = 0;
      return taken;
    },
    close,
  };
}
