/** The Open Inference Protocol v2 over HTTP, with Triton's extensions for binary data, scheduling and the model index. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Counter, type Registry } from 'prom-client';
import { type InferenceEngine, InferenceError, type InferenceErrorKind, type LoadedVersion } from '../engine.ts';
import { answerInference } from './infer.ts';
import { binaryExtension, describeModel, ourName } from './metadata.ts';
import { ProtocolError, shown } from './protocol-error.ts';
import { createBodyReader } from './request-body.ts';

export interface InferenceListenerOptions {
  readonly engine: InferenceEngine;
  /** For /metrics, and for the number of requests. */
  readonly registry: Registry;
  /** Of this program, for its metadata. */
  readonly version: string;
  /** Whether the server is about to end: it is not ready then, but answers. */
  isDraining(): boolean;
  /** Called with what made a request fail that was not at fault itself. Must not throw. */
  readonly onError?: (error: unknown) => void;
  /** Bytes of one body. Default 64 MiB. */
  readonly maxBodyBytes?: number;
  /** Bytes of all bodies at a time; beyond it requests are refused as overloaded. Default 512 MiB. */
  readonly maxHeldBytes?: number;
  /** Rows of one request. Default 16,384. */
  readonly maxRows?: number;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body: string | Uint8Array;
}

/** A request on its way: where it goes, by its path without the leading "/v2". */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: readonly string[];
}

const statuses: Readonly<Record<InferenceErrorKind, number>> = {
  'unknown-model': 404,
  'invalid-input': 400,
  overloaded: 503,
  unavailable: 503,
  timeout: 504,
  // The server is shutting down; a client that has gone reads no status.
  aborted: 503,
  failed: 500,
};
const mib = 1024 * 1024;

/** Answers the protocol's paths, /healthz, /readyz and /metrics. Errors are `{ "error": "..." }`. */
export function createInferenceListener(options: InferenceListenerOptions): RequestListener {
  const server = new InferenceServer(options);
  return (request, response) => {
    void server.serve(request, response);
  };
}

class InferenceServer {
  readonly #options: InferenceListenerOptions;
  readonly #engine: InferenceEngine;
  readonly #readBody: ReturnType<typeof createBodyReader>;
  readonly #requests: Counter<'model' | 'status'>;

  constructor(options: InferenceListenerOptions) {
    this.#options = options;
    this.#engine = options.engine;
    this.#readBody = createBodyReader({
      maxBytes: options.maxBodyBytes ?? 64 * mib,
      maxHeldBytes: options.maxHeldBytes ?? 512 * mib,
    });
    this.#requests = new Counter({
      name: 'tributary_inference_requests_total',
      help: 'Inference requests over HTTP by HTTP status; 499: the client had gone.',
      labelNames: ['model', 'status'],
      registers: [options.registry],
    });
  }

  /** Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#route(request, response);
    } catch (error) {
      answer = this.#errorAnswer(error);
    }
    if (response.destroyed) return;
    const { status, headers, body } = answer;
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...headers,
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  #route(request: IncomingMessage, response: ServerResponse): Answer | Promise<Answer> {
    const path = segmentsOf(request);
    const exchange = { request, response, path: path.slice(1) };
    if (path[0] === 'v2') return this.#routeProtocol(exchange);
    const isProbe = path.length === 1 && (request.method === 'GET' || request.method === 'HEAD');
    if (isProbe && path[0] === 'healthz') return json(200, { status: 'alive' });
    if (isProbe && path[0] === 'readyz') return this.#readiness();
    if (isProbe && path[0] === 'metrics') return this.#metrics();
    throw new ProtocolError(
      'not found: expected a path of the Open Inference Protocol, such as /v2/models/{model}',
      404,
    );
  }

  #routeProtocol(exchange: Exchange): Answer | Promise<Answer> {
    const { request, path } = exchange;
    const [kind, name, ...rest] = path;
    const isInference = kind === 'models' && rest.at(-1) === 'infer';
    const isIndex = path.join('/') === 'repository/index';
    expectMethod(request, isInference || isIndex ? ['POST'] : ['GET', 'HEAD']);
    if (isIndex) return this.#index(exchange);
    if (path.length === 0) return json(200, this.#describeServer());
    if (path.join('/') === 'health/live') return json(200, { live: true });
    if (path.join('/') === 'health/ready') {
      return json(this.#isReady() ? 200 : 503, { live: true, ready: this.#isReady() });
    }
    if (kind === 'models' && name !== undefined) {
      const version = rest[0] === 'versions' ? rest[1] : undefined;
      const action = (version === undefined ? rest : rest.slice(2)).join('/');
      if (action === 'ready') return this.#modelReadiness(name, version);
      if (action === 'infer') return this.#infer(exchange, this.#find(name, version));
      if (action === '') return this.#describeModel(this.#find(name, version));
    }
    throw new ProtocolError(
      'not found: expected a path of the Open Inference Protocol, such as /v2/models/{model}',
      404,
    );
  }

  async #infer({ request, response }: Exchange, version: LoadedVersion): Promise<Answer> {
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
      const status = response.writableFinished ? response.statusCode : 499;
      this.#requests.inc({ model: `${version.name}/${version.version}`, status: String(status) });
    });
    const { 'content-encoding': coding = 'identity' } = request.headers;
    if (coding !== 'identity') throw new ProtocolError(`expected no content-encoding, got ${shown(coding)}`, 415);
    const jsonBytes = readJsonBytes(request);
    const body = await this.#readBody(request, response);
    const answer = await answerInference(
      { body, jsonBytes },
      { engine: this.#engine, version, maxRows: this.#options.maxRows ?? 16_384, signal: gone.signal },
    );
    if (answer.jsonBytes === null) return { status: 200, body: answer.body };
    return {
      status: 200,
      headers: {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': answer.jsonBytes,
      },
      body: answer.body,
    };
  }

  async #index({ request, response }: Exchange): Promise<Answer> {
    const body = (await this.#readBody(request, response)).toString();
    const wanted: unknown = /^\s*$/.test(body) ? {} : parseSmallJson(body);
    const isReadyOnly = (wanted as { ready?: unknown } | null)?.ready === true;
    const ready = this.#engine.versions().map(({ name, version }) => ({ name, version, state: 'READY', reason: '' }));
    const failed = this.#engine
      .failures()
      .map(({ name, version, error }) => ({ name, version, state: 'UNAVAILABLE', reason: error }));
    return json(200, isReadyOnly ? ready : [...ready, ...failed]);
  }

  // Without a version the newest of full precision, as versions are ordered.
  #find(name: string, version: string | undefined): LoadedVersion {
    const ofModel = this.#engine.versions().filter((loaded) => loaded.name === name);
    const found =
      version === undefined
        ? (ofModel.findLast(({ precision }) => precision === 'FP32') ?? ofModel.at(-1))
        : ofModel.find((loaded) => loaded.version === version);
    if (found !== undefined) return found;
    const wanted = version === undefined ? name : `${name}/${version}`;
    throw new ProtocolError(`expected a model of this server, got ${shown(wanted)}`, 404);
  }

  #describeModel(version: LoadedVersion): Answer {
    const versions = this.#engine.versions().filter(({ name }) => name === version.name);
    return json(
      200,
      describeModel(
        version,
        versions.map((loaded) => loaded.version),
      ),
    );
  }

  #describeServer() {
    const extensions = [binaryExtension, 'schedule_policy', 'model_repository'];
    return { name: ourName, version: this.#options.version, extensions };
  }

  #modelReadiness(name: string, version: string | undefined): Answer {
    const isFailed = this.#engine
      .failures()
      .some((failure) => failure.name === name && (version === undefined || failure.version === version));
    const isLoaded = this.#engine
      .versions()
      .some((loaded) => loaded.name === name && (version === undefined || loaded.version === version));
    if (!isLoaded && isFailed) return json(503, { name, ready: false });
    this.#find(name, version);
    return json(200, { name, ready: true });
  }

  #isReady(): boolean {
    return !this.#options.isDraining() && this.#engine.versions().length > 0;
  }

  #readiness(): Answer {
    const isReady = this.#isReady();
    return json(isReady ? 200 : 503, {
      status: isReady ? 'ready' : 'not ready',
      models: this.#engine.versions().map(({ name, version }) => `${name}/${version}`),
      failedModels: this.#engine.failures(),
    });
  }

  async #metrics(): Promise<Answer> {
    const { registry } = this.#options;
    return { status: 200, headers: { 'content-type': registry.contentType }, body: await registry.metrics() };
  }

  #errorAnswer(error: unknown): Answer {
    if (error instanceof ProtocolError) {
      return { ...json(error.status, { error: error.message }), headers: error.headers };
    }
    if (!(error instanceof InferenceError)) {
      this.#options.onError?.(error);
      return json(500, { error: 'The server failed.' });
    }
    const status = statuses[error.kind];
    if (status === 500) this.#options.onError?.(error);
    return { ...json(status, { error: error.message }), ...(status === 503 && { headers: { 'retry-after': 1 } }) };
  }
}

function json(status: number, value: unknown): Answer {
  return { status, body: JSON.stringify(value) };
}

function segmentsOf(request: IncomingMessage): string[] {
  const [path = ''] = (request.url ?? '/').split('?', 1);
  try {
    return path
      .replace(/^\/|\/$/g, '')
      .split('/')
      .map(decodeURIComponent);
  } catch {
    throw new ProtocolError('expected a path in percent-encoded UTF-8, got other bytes');
  }
}

function expectMethod({ method }: IncomingMessage, allowed: readonly string[]): void {
  if (allowed.includes(method ?? '')) return;
  throw new ProtocolError(`expected ${allowed[0]}, got ${method}`, 405, { allow: allowed.join(', ') });
}

function readJsonBytes({ headers }: IncomingMessage): number | null {
  const value = headers['inference-header-content-length'];
  if (value === undefined) return null;
  if (/^\d{1,12}$/.test(String(value))) return Number(value);
  throw new ProtocolError(`Inference-Header-Content-Length: expected a number of bytes, got ${shown(value)}`);
}

function parseSmallJson(text: string): unknown {
  if (text.length > 4096) throw new ProtocolError('expected at most 4096 bytes of JSON, got more', 413);
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError(`expected JSON, got ${shown(text)}`);
  }
}
