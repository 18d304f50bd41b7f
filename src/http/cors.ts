import type { IncomingMessage } from 'node:http';

const allowedMethods = 'GET, POST';
/** What a page may send: every header of a request that the API reads. */
const allowedHeaders = 'content-type, authorization, cache-control, x-request-id, x-request-timeout-ms, x-cost';
/** What a page may read of an answer. */
const exposedHeaders = 'x-request-id, retry-after, ratelimit, ratelimit-policy';
/** Browsers ask again after this; Chromium keeps no answer longer. */
const maxAgeSeconds = '7200';

/** What CORS says of a request. */
export interface CorsAnswer {
  /** Names and values in turn, without Vary. */
  readonly headers: readonly string[];
  /** By which header of requests the answer varies. null: by none. */
  readonly vary: 'Origin' | null;
  /** Whether it is a browser's question before the request: these headers are all its answer. */
  readonly isPreflight: boolean;
}

export type Cors = (request: IncomingMessage) => CorsAnswer;

const none: CorsAnswer = { headers: [], vary: null, isPreflight: false };

/**
 * CORS for the origins listed, and for no other: without a list there are no CORS headers at all. Tokens travel in
 * Authorization, so cookies are never allowed.
 */
export function createCors(origins: readonly string[]): Cors {
  if (origins.length === 0) return () => none;
  const listed = new Set(origins.map((origin) => URL.parse(origin)?.origin ?? origin));
  return (request) => {
    const { origin } = request.headers;
    const isPreflight = request.method === 'OPTIONS' && 'access-control-request-method' in request.headers;
    if (origin === undefined || !listed.has(origin)) return { headers: [], vary: 'Origin', isPreflight };
    const headers = ['access-control-allow-origin', origin, 'access-control-expose-headers', exposedHeaders];
    if (isPreflight) {
      headers.push('access-control-allow-methods', allowedMethods);
      headers.push('access-control-allow-headers', allowedHeaders);
      headers.push('access-control-max-age', maxAgeSeconds);
    }
    return { headers, vary: 'Origin', isPreflight };
  };
}
