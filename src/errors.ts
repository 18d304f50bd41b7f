import { GraphQLError } from 'graphql';

/** Every code a client can meet in `extensions.code`, with the HTTP status it means when nothing could be answered. */
export const errorStatus = {
  BAD_USER_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  RATE_LIMITED: 429,
  OVERLOADED: 503,
  TIMEOUT: 504,
  INTERNAL: 500,
  GRAPHQL_PARSE_FAILED: 400,
  GRAPHQL_VALIDATION_FAILED: 400,
  PERSISTED_QUERY_NOT_FOUND: 404,
  PERSISTED_QUERY_ONLY: 403,
  QUERY_TOO_COMPLEX: 400,
} as const;

export type ErrorCode = keyof typeof errorStatus;

/** One thing wrong with the input: the path of the argument, dotted from the field's arguments, and what is allowed. */
export interface InputIssue {
  path: string;
  message: string;
}

/** An error that is meant for the client: its message is sent as it is. */
export function publicError(code: ErrorCode, message: string, extensions: Record<string, unknown> = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...extensions } });
}

/** BAD_USER_INPUT with its issues; the message names the first so that it can be shown alone. */
export function badUserInput(...issues: [InputIssue, ...InputIssue[]]): GraphQLError {
  const [first] = issues;
  return publicError('BAD_USER_INPUT', first.path === '' ? first.message : `${first.path}: ${first.message}`, {
    issues,
  });
}

/** NOT_FOUND for an id that does not exist or belongs to another organization: the two cannot be told apart. */
export function notFound(type: string, path: string): GraphQLError {
  return publicError('NOT_FOUND', `${path}: no ${type} with this id`, {
    issues: [{ path, message: `no ${type} with this id` }],
  });
}

/** NOT_FOUND for what was there when the request began to read, and was deleted by somebody before it was done. */
export function deletedMeanwhile(): GraphQLError {
  return publicError('NOT_FOUND', 'This was deleted while the answer was put together');
}

export function unauthenticated(): GraphQLError {
  return publicError('UNAUTHENTICATED', 'Sign in first: this request has no viewer');
}

/** FORBIDDEN: the viewer is known, but the token is not good for this. */
export function forbidden(requiredScope: string): GraphQLError {
  return publicError('FORBIDDEN', `This needs a token with the scope "${requiredScope}"`, { requiredScope });
}

/** CONFLICT: what the client had seen is not what is there any more, or a key was used for something else. */
export function conflict(message: string, extensions: Record<string, unknown> = {}): GraphQLError {
  return publicError('CONFLICT', message, extensions);
}

/** RATE_LIMITED: nothing was done; the client may try again after so many seconds. */
export function rateLimited(retryAfterSeconds: number): GraphQLError {
  const message = `Too many requests: try again in ${retryAfterSeconds} s`;
  return publicError('RATE_LIMITED', message, { retryAfterSeconds });
}

/** QUERY_TOO_COMPLEX: the operation has more of something than one request may have. */
export function tooComplex(limit: string, max: number, actual: number): GraphQLError {
  const message = `expected at most ${max} ${limit}, got ${actual}: ask for less, or in several requests`;
  return publicError('QUERY_TOO_COMPLEX', message, { limit, max, actual });
}

/** OVERLOADED: try again after some seconds; nothing was done. */
export function overloaded(message: string, retryAfterSeconds = 1): GraphQLError {
  return publicError('OVERLOADED', message, { retryAfterSeconds });
}

export function timeout(message: string): GraphQLError {
  return publicError('TIMEOUT', message);
}

/** A fault of the set-up that ends the start with one line instead of a stack. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}
