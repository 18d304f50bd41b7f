import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Compression } from './accept-encoding.ts';

const gzipLater = promisify(gzip);
const brotliLater = promisify(brotliCompress);

// Of 183 KB of JSON 38,695 bytes in 1.3 ms of CPU, and 36,565 in 1.6 ms; Brotli 5 takes 2.8 ms for 7 % less.
const brotliQuality = 4;
const gzipLevel = 6;

/**
 * Compresses off the event loop, in the threads of libuv.
 *
 * Answers hold what a client sent beside what only its viewer may know, the two things that BREACH needs; the third, a
 * page of a stranger that makes a browser ask in the viewer's name, is missing: who asks is said by a header that no other
 * page can send, never by a cookie.
 */
export function compress(body: Uint8Array, encoding: Compression): Promise<Buffer<ArrayBuffer>> {
  if (encoding === 'gzip') return gzipLater(body, { level: gzipLevel });
  return brotliLater(body, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: brotliQuality,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
    },
  });
}
