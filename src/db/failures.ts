import type { GraphQLError } from 'graphql';
import { overloaded, publicError, timeout } from '../errors.ts';

/** The statement never reached a server that takes statements: nothing was done. */
const notSentCodes = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'CONNECT_TIMEOUT',
  'CONNECTION_DESTROYED',
  '53300', // too many connections
  '57P03', // the server starts, ends or recovers
]);

/** The connection was lost while the statement may have run: whether it took effect cannot be known. */
const lostCodes = new Set(['ECONNRESET', 'EPIPE', 'CONNECTION_CLOSED', 'CONNECTION_ENDED', '57P01', '57P02', '57P05']);

/** The server undid the statement because of others that ran beside it. */
const undoneCodes = new Set(['40001', '40P01', '55P03']);

const cancelledCode = '57014';

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '');
}

/** The server cannot be reached, or takes no statements; a connection that was merely lost does not prove that. */
export function isUnreachable(error: unknown): boolean {
  return notSentCodes.has(codeOf(error));
}

/** The failure says something of the server or the network, not of the statement. */
export function isOutage(error: unknown): boolean {
  return notSentCodes.has(codeOf(error)) || lostCodes.has(codeOf(error));
}

/** The same statement may run again: it did nothing the first time, or doing it twice is no different. */
export function isRetriable(error: unknown, isRead: boolean): boolean {
  const code = codeOf(error);
  return notSentCodes.has(code) || undoneCodes.has(code) || (isRead && lostCodes.has(code));
}

/**
 * The failure as the client may see it: OVERLOADED when nothing was done, TIMEOUT when that cannot be known.
 * null: a failure of the statement itself, which is ours.
 */
export function publicFailure(error: unknown, isRead: boolean): GraphQLError | null {
  const code = codeOf(error);
  if (code === cancelledCode) return timeout('The database took too long for this; ask for less, or try again');
  if (undoneCodes.has(code)) return overloaded('Others changed the same data at the same time; try again');
  if (notSentCodes.has(code) || (isRead && lostCodes.has(code))) return unavailable();
  if (lostCodes.has(code)) return unknownOutcome();
  return null;
}

export function unavailable(): GraphQLError {
  return overloaded('The database is not available now; try again soon');
}

function unknownOutcome(): GraphQLError {
  return publicError(
    'TIMEOUT',
    'The connection to the database was lost before it answered: the change may or may not have been made. Try again with the same idempotencyKey, or look first',
  );
}
