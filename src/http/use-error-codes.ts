import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import { type ErrorCode, errorStatus, type InputIssue } from '../errors.ts';
import { deadlineOf } from './deadline.ts';
import { requestIdOf } from './request-id.ts';
import { wholeFailure } from './whole-failure.ts';

type Errors = readonly GraphQLError[];

/**
 * Gives every error that leaves the server its code, and hides what is not meant for clients: anything but an error of
 * ours or of the protocol becomes INTERNAL, and is logged. Each has the id of its request, as the log has.
 */
export function useErrorCodes(log: Logger): Plugin {
  return {
    onParse:
      () =>
      ({ result }) => {
        if (result instanceof GraphQLError) result.extensions.code = 'GRAPHQL_PARSE_FAILED' satisfies ErrorCode;
      },
    onValidate:
      () =>
      ({ valid, result }) => {
        if (valid) return;
        // Also where a scalar refused a literal with a code of its own: no variable or argument can be named.
        for (const error of result as GraphQLError[]) {
          error.extensions.code = 'GRAPHQL_VALIDATION_FAILED' satisfies ErrorCode;
        }
      },
    onResultProcess: ({ request, result, setResult }) => {
      if (Array.isArray(result) || !('errors' in result) || !result.errors?.length) return;
      const errors = (result.errors as Errors).map((error) => finish(error, request, log));
      const http = wholeFailure(result.data, errors);
      setResult({ ...result, errors, ...(http && { extensions: { ...result.extensions, http } }) });
    },
  };
}

/** Marks an error that Yoga would mask; finish() above turns it into INTERNAL. */
export function maskError(error: unknown): Error {
  if (error instanceof GraphQLError) return error;
  return new GraphQLError('internal', { originalError: error instanceof Error ? error : new Error(String(error)) });
}

function finish(error: GraphQLError, request: Request, log: Logger): GraphQLError {
  const requestId = requestIdOf(request);
  const original = publicOriginal(error);
  if (original) return withCode(error, error.message, original.extensions, requestId);
  const reason = reasonOfAbort(error, deadlineOf(request));
  if (reason) return withCode(error, reason.message, reason.extensions, requestId);
  log.error({ requestId, path: error.path, err: error.originalError ?? error }, 'unexpected error');
  return copy(error, 'Something went wrong on our side; quote the request id when you report it.', {
    code: 'INTERNAL' satisfies ErrorCode,
    requestId,
  });
}

/** The GraphQL error that was thrown, when it was one that may be shown. */
function publicOriginal(error: GraphQLError): GraphQLError | null {
  let current: unknown = error;
  while (current instanceof GraphQLError && current.originalError) current = current.originalError;
  if (!(current instanceof GraphQLError)) return null;
  const isFieldError = error.path !== undefined && current.extensions.code === undefined;
  // A field's error without a code is the executor's own: a bad argument is the client's fault, a bad result is ours.
  return isFieldError && !/^(Argument|Variable) /.test(current.message) ? null : current;
}

/** What a part threw because the request was over: the reason it was over for. */
function reasonOfAbort(error: GraphQLError, signal: AbortSignal): GraphQLError | null {
  const isAbort = error.originalError?.name === 'AbortError' && signal.aborted;
  return isAbort && signal.reason instanceof GraphQLError ? signal.reason : null;
}

function withCode(
  error: GraphQLError,
  message: string,
  given: Readonly<Record<string, unknown>>,
  requestId: string,
): GraphQLError {
  const { originalError, ...extensions }: Record<string, unknown> = { ...given, ...error.extensions, requestId };
  // Yoga puts the cause of a body it could not read here: never for clients, and no error of GraphQL that could be a 200.
  if (originalError) extensions.http = { status: errorStatus.BAD_USER_INPUT };
  const code = String(extensions.code ?? '');
  if (code in errorStatus && (code !== 'BAD_USER_INPUT' || extensions.issues)) {
    // An error that has no path stopped the whole request; one of a field leaves the others' answers standing.
    const http = extensions.http ?? (error.path ? undefined : { status: errorStatus[code as ErrorCode] });
    return copy(error, message, { ...extensions, ...(http !== undefined && { http }) });
  }
  const issues: InputIssue[] = [{ path: inputPathOf(message), message }];
  return copy(error, message, { ...extensions, code: 'BAD_USER_INPUT' satisfies ErrorCode, issues });
}

/** The variable or argument that a coercion error of the executor speaks of, such as `input.name`. */
function inputPathOf(message: string): string {
  const inner = /at "\$?([\w.[\]]+)"/.exec(message) ?? /^(?:Variable|Argument) "\$?([^"]+)"/.exec(message);
  const field = /Expected value of type "\w+" (?:not )?to include \w+ field "(\w+)"/.exec(message)?.[1];
  return [(inner?.[1] ?? '').replace(/\[(\d+)\]/g, '.$1'), ...(field ? [field] : [])].join('.');
}

function copy(error: GraphQLError, message: string, extensions: Record<string, unknown>): GraphQLError {
  return new GraphQLError(message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    extensions,
  } as never);
}
