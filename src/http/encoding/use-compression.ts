import type { Plugin } from 'graphql-yoga';
import { baseVaryOf } from '../base-headers.ts';
import type { NodeContext } from '../deadline.ts';
import { encodingFor } from './accept-encoding.ts';
import { compress } from './compress.ts';

const negotiated = 'accept-encoding';
/** Of answers that are there as a whole; what is sent bit by bit, such as an event stream, must not wait for its end. */
const wholeTypes = ['application/json', 'application/graphql-response+json', 'text/html'];

/** Compresses what is made for one request only, in the coding that its client likes best. To come last. */
export function useCompression(): Plugin<object, NodeContext> {
  return {
    async onResponse({ request, response, serverContext, setResponse, fetchAPI }) {
      const { status, headers } = response;
      const [type] = (headers.get('content-type') ?? '').split(';', 1);
      const vary = headers.get('vary') ?? baseVaryOf(serverContext?.res);
      // What is kept is sent in a form that is kept, too.
      if (!wholeTypes.includes(type!) || vary?.includes(negotiated)) return;
      headers.set('vary', vary === null ? negotiated : `${vary}, ${negotiated}`);
      const accepted = request.headers.get('accept-encoding');
      if (encodingFor(accepted, Number.POSITIVE_INFINITY) === 'identity') return;
      const body = Buffer.from(await response.arrayBuffer());
      const encoding = encodingFor(accepted, body.length);
      const sent = encoding === 'identity' ? body : await compress(body, encoding);
      if (encoding !== 'identity') headers.set('content-encoding', encoding);
      headers.set('content-length', String(sent.length));
      setResponse(new fetchAPI.Response(sent, { status, headers }));
    },
  };
}
