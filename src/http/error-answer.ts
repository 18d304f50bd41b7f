import type { ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import { type ErrorCode, errorStatus, publicError } from '../errors.ts';

/** An error as a whole HTTP answer, for what is refused before or beside the execution of an operation. */
export interface ErrorAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

interface HttpExtension {
  status?: number;
  headers?: Record<string, string>;
}

/** BAD_USER_INPUT with an HTTP status of its own: the request itself is at fault, not its operation. */
export function badRequest(status: number, message: string, headers: Record<string, string> = {}): GraphQLError {
  return publicError('BAD_USER_INPUT', message, { issues: [{ path: '', message }], http: { status, headers } });
}

const responseType = 'application/graphql-response+json';

/**
 * The answer of an error of errors.ts or of badRequest: a GraphQL result, with the id of the request in it. Clients that
 * accept the type of GraphQL over HTTP take a 4xx or 5xx of plain JSON for that of a proxy, and show no code.
 * @param accept - the header of the request, where one was read
 */
export function errorAnswer(error: GraphQLError, requestId: string, accept?: string | null): ErrorAnswer {
  const { http, ...extensions } = error.extensions as { http?: HttpExtension } & Record<string, unknown>;
  const { retryAfterSeconds } = extensions;
  return {
    status: http?.status ?? errorStatus[extensions.code as ErrorCode],
    headers: {
      'content-type': `${accept?.includes(responseType) ? responseType : 'application/json'}; charset=utf-8`,
      'x-request-id': requestId,
      ...(typeof retryAfterSeconds === 'number' && { 'retry-after': String(retryAfterSeconds) }),
      ...http?.headers,
    },
    body: JSON.stringify({ errors: [{ message: error.message, extensions: { ...extensions, requestId } }] }),
  };
}

export function sendErrorAnswer(response: ServerResponse, { status, headers, body }: ErrorAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}
