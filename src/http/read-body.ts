import type { IncomingMessage } from 'node:http';
import type { GraphQLError } from 'graphql';
import { badRequest } from './error-answer.ts';

/** How long the rest of a body that is too large is thrown away, so that its sender lives to read the answer. */
const lingerMs = 500;

export interface BodyBounds {
  /** More than this is not kept in memory. */
  maxBytes: number;
  /** Its reason is thrown when it aborts. */
  signal: AbortSignal;
}

/**
 * The bytes of a body as they come from a socket.
 * @throws 413 when there are more than `maxBytes`, the signal's reason when the time is over or the client has gone
 */
export async function readBody(request: IncomingMessage, { maxBytes, signal }: BodyBounds): Promise<Buffer> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) reject(bodyTooLarge(maxBytes));
    else chunks.push(chunk);
  };
  const onEnd = () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  const onAbort = () => reject(signal.reason);
  request.once('end', onEnd).once('error', reject);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const declaredBytes = Number(request.headers['content-length'] ?? 0);
    if (declaredBytes > maxBytes) throw bodyTooLarge(maxBytes);
    request.on('data', onData);
    return await promise;
  } catch (error) {
    chunks.length = 0;
    request.off('data', onData);
    if (!signal.aborted) await discard(request);
    throw error;
  } finally {
    request.off('end', onEnd).off('error', reject);
    signal.removeEventListener('abort', onAbort);
  }
}

export function bodyTooLarge(maxBytes: number): GraphQLError {
  const message = `body: expected at most ${maxBytes} bytes, got more: send less, or several requests`;
  return badRequest(413, message, { connection: 'close' });
}

/**
 * Reads and forgets. A connection that is closed with bytes unread is reset, and the reset can overtake the answer on
 * its way to the client.
 */
function discard(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, lingerMs);
    function done(): void {
      clearTimeout(timer);
      request.off('end', done).off('close', done).off('error', done);
      resolve();
    }
    request.once('end', done).once('close', done).once('error', done);
    request.resume();
  });
}
