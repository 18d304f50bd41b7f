import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const ids = new WeakMap<Request, string>();

/** The id of a request: what the client or proxy sent as x-request-id when it is sane, a new one otherwise. */
export function requestIdOf(request: Request): string {
  const known = ids.get(request);
  if (known) return known;
  const id = saneId(request.headers.get('x-request-id')) ?? randomUUID();
  ids.set(request, id);
  return id;
}

/** The same id before there is a Request: it is put into the headers, so that requestIdOf finds it there. */
export function assignRequestId(request: IncomingMessage): string {
  const id = saneId(request.headers['x-request-id']) ?? randomUUID();
  request.headers['x-request-id'] = id;
  return id;
}

/** Sends the id back on every response. */
export function useRequestId() {
  return {
    onResponse({ request, response }: { request: Request; response: Response }) {
      response.headers.set('x-request-id', requestIdOf(request));
    },
  };
}

function saneId(given: string | string[] | null | undefined): string | null {
  return typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : null;
}
