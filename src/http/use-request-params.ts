import { isUtf8 } from 'node:buffer';
import type { GraphQLError } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Limit } from '../config.ts';
import { timeout } from '../errors.ts';
import { deadlineOf, type NodeContext } from './deadline.ts';
import { badRequest } from './error-answer.ts';
import { exchangeOf } from './exchange.ts';
import type { LimitMetrics } from './limits/limit-metrics.ts';
import { bodyTooLarge, readBody } from './read-body.ts';
import { requestIdOf } from './request-id.ts';

/** Where the limit is off or only warns, bodies still fit into memory. */
const hardMaxBytes = 64 * 1024 * 1024;

export interface RequestParamsOptions {
  bodyBytes: Limit;
  limitMetrics: LimitMetrics;
  log: Logger;
}

/**
 * Reads what a request asks: GET from its URL, POST from a body of JSON. The other forms Yoga reads can be sent by any
 * web page without asking first (CSRF).
 */
export function useRequestParams(options: RequestParamsOptions): Plugin<object, NodeContext> {
  return {
    onRequestParse({ request, serverContext, setRequestParser }) {
      if (request.method === 'GET') setRequestParser(({ url }) => readUrl(url));
      if (request.method !== 'POST') return;
      const fault = contentTypeFault(request.headers);
      if (fault) throw badRequest(415, fault, { 'accept-post': 'application/json' });
      setRequestParser(async () => withUrlId(parseBody(await readBytes(request, serverContext, options)), request));
    },
    onResponse({ request, response, fetchAPI, setResponse }) {
      if (response.status !== 406) return;
      const message = 'accept: expected application/graphql-response+json or application/json to be acceptable';
      const extensions = { code: 'BAD_USER_INPUT', issues: [{ path: '', message }], requestId: requestIdOf(request) };
      response.headers.set('content-type', 'application/json; charset=utf-8');
      const body = JSON.stringify({ errors: [{ message, extensions }] });
      setResponse(new fetchAPI.Response(body, { status: 406, headers: response.headers }));
    },
  };
}

function contentTypeFault(headers: Headers): string | null {
  const [given = '', ...parameters] = (headers.get('content-type') ?? '').toLowerCase().split(';');
  const type = given.trim();
  if (type !== 'application/json') return `expected content-type application/json, got ${type || 'none'}`;
  const charset = parameters.map((text) => text.trim()).find((text) => text.startsWith('charset='));
  if (charset && !/^charset="?utf-?8"?$/.test(charset)) return `expected charset=utf-8, got ${charset}`;
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() || 'identity';
  return encoding === 'identity' ? null : `expected a body without content-encoding, got ${encoding}`;
}

async function readBytes(
  request: Request,
  { req }: NodeContext,
  { bodyBytes: { max, isWarnOnly }, limitMetrics, log }: RequestParamsOptions,
): Promise<Buffer> {
  const maxBytes = isWarnOnly ? hardMaxBytes : Math.min(max, hardMaxBytes);
  try {
    const bytes =
      exchangeOf(req)?.body ??
      (req ? await readBody(req, { maxBytes, signal: deadlineOf(request) }) : Buffer.from(await request.arrayBuffer()));
    if (bytes.length > maxBytes) throw bodyTooLarge(maxBytes);
    if (bytes.length > max) {
      limitMetrics.count('bodyBytes', 'warned');
      log.warn({ requestId: requestIdOf(request), bytes: bytes.length, max }, 'over the limit bodyBytes');
    }
    return bytes;
  } catch (error) {
    if (isTooLarge(error)) limitMetrics.count('bodyBytes', 'refused');
    if (error === deadlineOf(request).reason) throw slowBody(error as GraphQLError);
    throw (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? timeout('The client has gone away') : error;
  }
}

function isTooLarge(error: unknown): boolean {
  return (error as { extensions?: { http?: { status?: number } } }).extensions?.http?.status === 413;
}

/** The rest of the body is still to come, so this connection cannot be used again. */
function slowBody({ message }: GraphQLError): GraphQLError {
  const error = timeout(`${message}: its body did not arrive in time`);
  error.extensions.http = { status: 408, headers: { connection: 'close' } };
  return error;
}

/**
 * What a POST asks, by its body.
 * @throws BAD_USER_INPUT for bytes that are no JSON in UTF-8
 */
export function parseBody(bytes: Buffer): GraphQLParams {
  if (!isUtf8(bytes)) throw badRequest(400, 'body: expected UTF-8');
  return parseJson(bytes.toString('utf8'), 'body');
}

/**
 * What a GET asks, by its URL. Yoga checks what the parameters are, however they came.
 * @throws BAD_USER_INPUT for a parameter that is no JSON, or two ids
 */
export function readUrl(url: string): GraphQLParams {
  const given = queryOf(url);
  const json = (name: string) => {
    const text = given.get(name);
    return text ? parseJson(text, name) : undefined;
  };
  return {
    query: given.get('query') || undefined,
    documentId: documentIdOf(given),
    operationName: given.get('operationName') || undefined,
    variables: json('variables'),
    extensions: json('extensions'),
  } as GraphQLParams;
}

/** The id of a document may stand in the path also where the body says the rest. */
function withUrlId(params: GraphQLParams, request: Request): GraphQLParams {
  const documentId = request.url.includes('?') ? documentIdOf(queryOf(request.url)) : undefined;
  if (documentId === undefined || typeof params !== 'object' || params === null || Array.isArray(params)) return params;
  if ((params as { documentId?: unknown }).documentId != null) throw badRequest(400, 'documentId: expected only one');
  return { ...params, documentId } as GraphQLParams;
}

function documentIdOf(given: URLSearchParams): string | undefined {
  const [id, ...others] = given.getAll('documentId');
  if (others.length > 0) throw badRequest(400, 'documentId: expected only one');
  return id || undefined;
}

function queryOf(url: string): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : url.slice(start + 1));
}

function parseJson(text: string, path: string): GraphQLParams {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest(400, `${path}: expected JSON, got text that is none`);
  }
}
