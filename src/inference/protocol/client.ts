/** What a server of the Open Inference Protocol is asked: its models, and inferences. */
import type { z } from 'zod';
import type { BatchTensor } from '../tensors.ts';
import {
  createHttpExchange,
  type ExchangeAnswer,
  ExchangeError,
  type ExchangeRequest,
  type HttpExchange,
} from './http-exchange.ts';
import { decodeResponse, encodeRequest, type InferResponse, type Parameters } from './messages.ts';
import {
  type IndexEntry,
  type ModelMetadata,
  modelMetadataSchema,
  repositoryIndexSchema,
  type ServerMetadata,
  serverMetadataSchema,
} from './metadata.ts';
import { ProtocolError } from './protocol-error.ts';

/** Why a server did not do what it was asked. */
export type RemoteFault =
  /** No answer, or none that can be read: another attempt may succeed. */
  | 'unreachable'
  | 'overloaded'
  | 'timeout'
  /** It does not know the model, or is not allowed to say. */
  | 'refused'
  /** It took the request and failed on it. */
  | 'failed';

/** The message is for logs. */
export class RemoteError extends Error {
  readonly fault: RemoteFault;
  /** HTTP status; 0: no answer. */
  readonly status: number;

  constructor(fault: RemoteFault, message: string, status = 0, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.status = status;
  }
}

export interface InferCall {
  /** Of the model, such as "/v2/models/sentiment/versions/1". */
  readonly path: string;
  readonly inputs: readonly BatchTensor[];
  readonly outputNames: readonly string[];
  readonly parameters: Parameters;
  /** Whether the server has the extension for binary data. */
  readonly isBinary: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface InferenceClient {
  /** Rejects with a RemoteError, a ProtocolError when JSON cannot hold the inputs, or the signal's reason. */
  infer(call: InferCall): Promise<InferResponse>;
  /** Rejects with a RemoteError, as the others do. */
  server(signal: AbortSignal): Promise<ServerMetadata>;
  /** null: the server has no index. */
  index(signal: AbortSignal): Promise<readonly IndexEntry[] | null>;
  isReady(path: string, signal: AbortSignal): Promise<boolean>;
  /** null: there is no such model, or no versions. */
  model(path: string, signal: AbortSignal): Promise<ModelMetadata | null>;
  close(): void;
}

export interface InferenceClientOptions {
  /** http(s)://host:port, perhaps with a path and credentials, or unix:/path/to/a/socket. */
  readonly url: string;
  /** Milliseconds for questions about the server and its models. */
  readonly askTimeoutMs: number;
}

const maxAnswerBytes = 256 * 1024 * 1024;

export function createInferenceClient({ url, askTimeoutMs }: InferenceClientOptions): InferenceClient {
  const exchange = createHttpExchange(url, maxAnswerBytes);
  const ask = (path: string, signal: AbortSignal, method: 'GET' | 'POST' = 'GET') => {
    const body = method === 'POST' ? { headers: { 'content-type': 'application/json' }, body: Buffer.from('{}') } : {};
    return send(exchange, { method, path, timeoutMs: askTimeoutMs, signal, ...body });
  };
  return {
    infer: (call) => infer(exchange, call),
    server: async (signal) => read(await ask('/v2', signal), serverMetadataSchema),
    async index(signal) {
      const answer = await ask('/v2/repository/index', signal, 'POST');
      return isMissing(answer) ? null : read(answer, repositoryIndexSchema);
    },
    isReady: async (path, signal) => (await ask(`${path}/ready`, signal)).status === 200,
    async model(path, signal) {
      const answer = await ask(path, signal);
      return isMissing(answer) ? null : read(answer, modelMetadataSchema);
    },
    close: () => exchange.close(),
  };
}

/** The path of a model, or of one of its versions. */
export function modelPath(name: string, version?: string): string {
  const model = `/v2/models/${encodeURIComponent(name)}`;
  return version === undefined ? model : `${model}/versions/${encodeURIComponent(version)}`;
}

async function infer(exchange: HttpExchange, call: InferCall): Promise<InferResponse> {
  const { path, inputs, outputNames, parameters, isBinary, timeoutMs, signal } = call;
  const outputs = outputNames.map((name) => ({ name, isBinary }));
  const { body, jsonBytes } = encodeRequest({ parameters, inputs, outputs, isBinaryOutput: isBinary }, isBinary);
  const headers = {
    'content-type': jsonBytes === null ? 'application/json' : 'application/octet-stream',
    ...(jsonBytes !== null && { 'inference-header-content-length': jsonBytes }),
  };
  const answer = await send(exchange, { method: 'POST', path: `${path}/infer`, headers, body, timeoutMs, signal });
  if (answer.status !== 200) throw faultOf(answer);
  const length = answer.headers['inference-header-content-length'];
  try {
    return decodeResponse({ body: answer.body, jsonBytes: length === undefined ? null : Number(length) });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new RemoteError('unreachable', `an answer that is no inference response: ${error.message}`, 200);
  }
}

async function send(exchange: HttpExchange, request: ExchangeRequest): Promise<ExchangeAnswer> {
  try {
    return await exchange.send(request);
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    throw new RemoteError(error.isTimeout ? 'timeout' : 'unreachable', error.message, 0, { cause: error });
  }
}

function read<T>({ status, body }: ExchangeAnswer, schema: z.ZodType<T>): T {
  if (status !== 200) throw faultOf({ status, body });
  try {
    return schema.parse(JSON.parse(body.toString()));
  } catch (error) {
    throw new RemoteError('unreachable', 'an answer that is not as the Open Inference Protocol has it', status, {
      cause: error,
    });
  }
}

// KServe's Python servers answer 501 to everything with a version, Triton 400 to a model it does not have.
function isMissing({ status }: ExchangeAnswer): boolean {
  return status === 400 || status === 404 || status === 405 || status === 501;
}

function faultOf({ status, body }: Pick<ExchangeAnswer, 'status' | 'body'>): RemoteError {
  const message = `HTTP ${status}: ${body.subarray(0, 300).toString()}`;
  if (status === 429 || status === 503) return new RemoteError('overloaded', message, status);
  if (status === 408 || status === 504) return new RemoteError('timeout', message, status);
  // A part of what it was sent may be all right: wrong input, too much of it, or an input it fails on.
  const isOfInput = [400, 413, 422, 500].includes(status);
  return new RemoteError(isOfInput ? 'failed' : 'refused', message, status);
}
