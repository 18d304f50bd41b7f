import { encodingFor } from '../encoding/accept-encoding.ts';
import { compress } from '../encoding/compress.ts';
import type { Exchange } from '../exchange.ts';
import { rateHeaders } from '../rate-limit/use-rate-limit.ts';
import { defaultCacheControl } from '../security-headers.ts';

/** Sends an answer that was made for one request, in the coding that its client likes best. */
export function sendText(exchange: Exchange, contentType: string, text: string): void {
  const { request, response, base, verdict } = exchange;
  const vary = base.vary === null ? 'accept-encoding' : `${base.vary}, accept-encoding`;
  const sent = [...base.headers, ...defaultCacheControl, 'vary', vary, 'content-type', contentType];
  if (verdict) for (const [name, value] of Object.entries(rateHeaders(verdict))) sent.push(name, value);
  const bytes = Buffer.byteLength(text);
  const encoding = encodingFor(request.headers['accept-encoding'] as string | undefined, bytes);
  if (encoding === 'identity') {
    sent.push('content-length', String(bytes));
    // As a text it leaves together with its headers, in one write.
    response.writeHead(200, sent).end(text);
    return;
  }
  const send = (body: Buffer) => {
    sent.push('content-encoding', encoding, 'content-length', String(body.length));
    response.writeHead(200, sent).end(body);
  };
  compress(Buffer.from(text), encoding).then(send, () => response.destroy());
}
