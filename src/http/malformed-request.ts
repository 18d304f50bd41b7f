import { randomUUID } from 'node:crypto';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { timeout } from '../errors.ts';
import { badRequest, errorAnswer } from './error-answer.ts';
import { securityHeaderLines } from './security-headers.ts';

/** What is no HTTP, or not in time, gets one short answer where none has begun, and its connection ends. */
export function refuseMalformed(
  error: NodeJS.ErrnoException,
  socket: Socket & { _httpMessage?: ServerResponse },
): void {
  const hasBegun = socket._httpMessage?.headersSent === true;
  if (error.code === 'ECONNRESET' || !socket.writable || hasBegun) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = errorAnswer(faultOf(error.code), randomUUID());
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${securityHeaderLines}${lines.join('')}`;
  socket.end(`${head}connection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () =>
    socket.destroy(),
  );
}

function faultOf(code: string | undefined) {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const error = timeout('The request did not arrive in time');
    error.extensions.http = { status: 408 };
    return error;
  }
  if (code === 'HPE_HEADER_OVERFLOW') return badRequest(431, 'The headers of the request are too large');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return badRequest(413, 'The chunk extensions of the body are too large');
  return badRequest(400, 'The request is no HTTP/1.1');
}
