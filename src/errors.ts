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

export function unauthenticated(): GraphQLError {
  return publicError('UNAUTHENTICATED', 'Sign in first: this request has no viewer');
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
