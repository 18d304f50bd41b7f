import type { IncomingMessage, ServerResponse } from 'node:http';

const allowedMethods = 'GET, POST';
/** What a page may send: every header of a request that the API reads. */
const allowedHeaders = 'content-type, authorization, cache-control, x-request-id, x-request-timeout-ms, x-cost';
/** What a page may read of an answer. */
const exposedHeaders = 'x-request-id, retry-after, ratelimit, ratelimit-policy';
/** Browsers ask again after this; Chromium keeps no answer longer. */
const maxAgeSeconds = '7200';

/** Writes the CORS headers of an answer; true: it was a preflight, and is answered. */
export type Cors = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * CORS for the origins listed, and for no other: without a list there are no CORS headers at all. Tokens travel in
 * Authorization, so cookies are never allowed.
 */
export function createCors(origins: readonly string[]): Cors {
  if (origins.length === 0) return () => false;
  const listed = new Set(origins.map((origin) => URL.parse(origin)?.origin ?? origin));
  return (request, response) => {
    response.setHeader('vary', 'Origin');
    const { origin } = request.headers;
    const isListed = origin !== undefined && listed.has(origin);
    if (isListed) {
      response.setHeader('access-control-allow-origin', origin);
      response.setHeader('access-control-expose-headers', exposedHeaders);
    }
    const isPreflight = request.method === 'OPTIONS' && 'access-control-request-method' in request.headers;
    if (!isPreflight) return false;
    if (isListed) {
      response.setHeader('access-control-allow-methods', allowedMethods);
      response.setHeader('access-control-allow-headers', allowedHeaders);
      response.setHeader('access-control-max-age', maxAgeSeconds);
    }
    response.writeHead(204).end();
    return true;
  };
}
