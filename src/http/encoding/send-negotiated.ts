import type { IncomingMessage, ServerResponse } from 'node:http';
import { encodingFor } from './accept-encoding.ts';
import { compress } from './compress.ts';

/** Answers 200 with a body, in the coding that the client likes best. Rejects before anything is written, or not at all. */
export async function sendNegotiated(
  { headers }: IncomingMessage,
  response: ServerResponse,
  contentType: string,
  body: Buffer,
): Promise<void> {
  const encoding = encodingFor(headers['accept-encoding'] as string | undefined, body.length);
  const sent = encoding === 'identity' ? body : await compress(body, encoding);
  response.writeHead(200, {
    'content-type': contentType,
    'content-length': sent.length,
    vary: 'accept-encoding',
    ...(encoding !== 'identity' && { 'content-encoding': encoding }),
  });
  response.end(sent);
}
