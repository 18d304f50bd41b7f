/** Bodies of requests, bounded each and together. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InferenceError } from '../engine.ts';
import { ProtocolError } from './protocol-error.ts';

export interface BodyLimits {
  /** Of one body. */
  readonly maxBytes: number;
  /** Of all bodies that are held at a time. */
  readonly maxHeldBytes: number;
}

/**
 * Answers a function that reads a body; its bytes count as held until the response is closed. It rejects with a
 * ProtocolError (413), or an InferenceError: overloaded, or aborted when the client has gone.
 */
export function createBodyReader({ maxBytes, maxHeldBytes }: BodyLimits) {
  let heldBytes = 0;
  return (request: IncomingMessage, response: ServerResponse): Promise<Buffer> => {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const chunks: Buffer[] = [];
    let bytes = 0;
    let isRefused = false;
    const refuse = (error: Error) => {
      isRefused = true;
      chunks.length = 0;
      reject(error);
    };
    const tooLarge = () => refuse(new ProtocolError(`expected a body of at most ${maxBytes} bytes, got more`, 413));
    // What still comes after a refusal is read and forgotten, so that its sender lives to read the answer; for how long is
    // bounded by the server's request timeout.
    request.on('data', (chunk: Buffer) => {
      if (isRefused) return;
      bytes += chunk.length;
      heldBytes += chunk.length;
      if (bytes > maxBytes) tooLarge();
      else if (heldBytes > maxHeldBytes)
        refuse(new InferenceError('overloaded', 'Too many requests; try again later.'));
      else chunks.push(chunk);
    });
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', reject);
    response.once('close', () => {
      heldBytes -= bytes;
      if (!response.writableFinished) refuse(new InferenceError('aborted', 'The client has gone.'));
    });
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) tooLarge();
    return promise;
  };
}
