/** One HTTP request and its whole answer, over kept-alive connections. */
import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';

export interface ExchangeRequest {
  readonly method: 'GET' | 'POST';
  /** Begins with "/", and is put behind the path of the base URL. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array;
  /** Milliseconds until the whole answer must be there. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** There is no answer: not connected, reset, too late, too large. */
export class ExchangeError extends Error {
  readonly isTimeout: boolean;

  constructor(message: string, options?: ErrorOptions & { readonly isTimeout?: boolean }) {
    super(message, options);
    this.isTimeout = options?.isTimeout ?? false;
  }
}

export interface HttpExchange {
  /** Rejects with an ExchangeError, or with the signal's reason. */
  send(request: ExchangeRequest): Promise<ExchangeAnswer>;
  /** Ends all connections. */
  close(): void;
}

/** `url`: http(s), perhaps with a path and credentials, or unix:/path/to/a/socket. Answers of more than `maxAnswerBytes` are refused. */
export function createHttpExchange(url: string, maxAnswerBytes: number): HttpExchange {
  const base = new URL(url);
  const isSecure = base.protocol === 'https:';
  const agent = new (isSecure ? SecureAgent : Agent)({ keepAlive: true });
  const isSocket = base.protocol === 'unix:';
  const options = {
    agent,
    ...(isSocket
      ? { socketPath: decodeURIComponent(base.pathname) }
      : { hostname: base.hostname.replace(/^\[|\]$/g, ''), port: base.port }),
    ...(base.username !== '' && { auth: decodeURIComponent(`${base.username}:${base.password}`) }),
  };
  const prefix = isSocket ? '' : base.pathname.replace(/\/+$/, '');

  function send({ method, path, headers, body, timeoutMs, signal }: ExchangeRequest): Promise<ExchangeAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<ExchangeAnswer>();
    const request: ClientRequest = (isSecure ? httpsRequest : httpRequest)({
      ...options,
      method,
      path: prefix + path,
      headers: { ...headers, 'content-length': body?.length ?? 0 },
    });
    const end = (error: unknown) => {
      reject(error);
      request.destroy();
    };
    const onAbort = () => end(signal?.reason);
    const timer = setTimeout(
      () => end(new ExchangeError(`no answer in ${timeoutMs} ms`, { isTimeout: true })),
      timeoutMs,
    );
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    request.once('response', (response) => readAnswer(response, maxAnswerBytes).then(resolve, end));
    request.on('error', (error: NodeJS.ErrnoException) => {
      reject(new ExchangeError(error.code ?? error.message, { cause: error }));
    });
    request.end(body);
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    });
  }
  return { send, close: () => agent.destroy() };
}

async function readAnswer(response: IncomingMessage, maxBytes: number): Promise<ExchangeAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new ExchangeError(`an answer of more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof ExchangeError ? error : new ExchangeError('the answer broke off', { cause: error });
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: aligned(chunks, bytes) };
}

// A buffer of its own: small ones of node's pool begin anywhere, and their tensors would have to be copied.
function aligned(chunks: readonly Buffer[], bytes: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(bytes);
  let offset = 0;
  for (const chunk of chunks) offset += chunk.copy(whole, offset);
  return whole;
}
