import type { GraphQLError } from 'graphql';
import { type ErrorCode, errorStatus } from '../errors.ts';

/** Codes that say nothing of the operation, only that it was not the time or the viewer for it. */
const statusCodes: ReadonlySet<unknown> = new Set<ErrorCode>([
  'OVERLOADED',
  'TIMEOUT',
  'RATE_LIMITED',
  'UNAUTHENTICATED',
]);

/**
 * The HTTP status and headers of a result in which nothing could be answered, all of it for one of these reasons, so that
 * proxies and clients that look at the status only do the right thing. null: some of it is an answer, so it stays 200.
 */
export function wholeFailure(data: unknown, errors: readonly GraphQLError[]) {
  const hasAnswer = data != null && Object.values(data).some((value) => value !== null);
  const code = errors[0]?.extensions.code;
  if (hasAnswer || !statusCodes.has(code) || errors.some((error) => error.extensions.code !== code)) return null;
  const waits = errors.map((error) => Number(error.extensions.retryAfterSeconds ?? 0));
  const retryAfterSeconds = Math.max(...waits);
  return {
    status: statusOf(errors[0]!) ?? errorStatus[code as ErrorCode],
    headers: {
      ...(retryAfterSeconds > 0 && { 'retry-after': String(retryAfterSeconds) }),
      ...(code === 'UNAUTHENTICATED' && { 'www-authenticate': 'Bearer' }),
    },
  };
}

/** A status of its own, such as 408 for a body that did not arrive in time. */
function statusOf(error: GraphQLError): number | undefined {
  return (error.extensions.http as { status?: number } | undefined)?.status;
}
