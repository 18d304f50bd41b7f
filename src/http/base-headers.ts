import type { ServerResponse } from 'node:http';
import { defaultCacheControl } from './security-headers.ts';

/**
 * What every answer to a request for GraphQL has, whoever writes it: not set on the answer at first, because an answer
 * that gets all its headers at once costs half.
 */
export interface BaseHeaders {
  /** Names and values in turn, beside the two that depend on what is answered: Cache-Control and Vary. */
  readonly headers: readonly string[];
  /** By what an answer varies, whatever it is. null: nothing. */
  readonly vary: string | null;
}

/** For an answer that is written by others, who may replace each. */
export function setBaseHeaders(response: ServerResponse, { headers, vary }: BaseHeaders): void {
  setHeaders(response, headers);
  response.setHeader(...defaultCacheControl);
  if (vary !== null) response.setHeader('vary', vary);
}

/** By what an answer varies already that others are about to write. null: nothing, or it goes to no socket. */
export function baseVaryOf(response: ServerResponse | undefined): string | null {
  const vary = response?.getHeader('vary');
  return vary === undefined ? null : String(vary);
}

/** Names and values in turn. */
export function setHeaders(response: ServerResponse, headers: readonly string[]): void {
  for (let index = 0; index < headers.length; index += 2) response.setHeader(headers[index]!, headers[index + 1]!);
}
