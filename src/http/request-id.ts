import { randomUUID } from 'node:crypto';

const ids = new WeakMap<Request, string>();

/** The id of a request: what the client or proxy sent as x-request-id when it is sane, a new one otherwise. */
export function requestIdOf(request: Request): string {
  const known = ids.get(request);
  if (known) return known;
  const given = request.headers.get('x-request-id');
  const id = given && /^[\w-]{8,64}$/.test(given) ? given : randomUUID();
  ids.set(request, id);
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
