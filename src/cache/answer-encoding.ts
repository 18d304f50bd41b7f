/** Answers as text, for Redis: what is known of one as a line of JSON, then its body, compressed when that is worth it. */
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { ownBytes } from '../own-bytes.ts';
import type { Answer } from './answer-cache.ts';

/** What stands before the body. Times are of the wall clock, as other processes read them. */
interface Header {
  readonly etag: string;
  readonly tags: readonly string[];
  readonly position: string;
  /** Milliseconds since 1970. */
  readonly madeAt: number;
  readonly maxAgeMs: number;
  /** Of the body: a value that was cut off is none. */
  readonly bytes: number;
}

/** The first character says how it is written; another version takes other characters. */
const plain = 'p';
const compressed = 'z';
/** Bytes. What zstd sets up takes 40 µs, and 28 to read it back, whatever the size; 8 KiB as they are take 6 and 4. */
const minCompressedBytes = 8 * 1024;
/** Bytes; larger ones are compressed beside the event loop: 64 KiB take 90 µs, and come back in 50 µs. */
const maxSyncBytes = 64 * 1024;
/** Characters that come of so many bytes: JSON of a page becomes a third, and base64 adds a third of that. */
const maxSyncLength = maxSyncBytes / 2;
const maxDecodedBytes = 32 * 1024 * 1024;
// Level 1 of zstd against brotli at 1, JSON of 16 KiB: 34 + 44 µs against 46 + 29; of 512 KiB: 866 + 292 against 1,613 + 1,002.
const zstd = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const compressAside = promisify(zstdCompress);
const decompressAside = promisify(zstdDecompress);

/** An answer as text that other processes can read, too. */
export async function encodeAnswer(answer: Answer): Promise<string> {
  const { etag, tags, position, madeAtMs, expiresAtMs, body, bytes } = answer;
  const madeAt = Math.round(Date.now() - (performance.now() - madeAtMs));
  const header: Header = { etag, tags, position, madeAt, maxAgeMs: Math.round(expiresAtMs - madeAtMs), bytes };
  const line = `${JSON.stringify(header)}\n`;
  if (line.length + bytes < minCompressedBytes) return `${plain}${line}${body}`;
  const content = Buffer.concat([Buffer.from(line), body]);
  const isLarge = content.length > maxSyncBytes;
  const encoded = isLarge ? await compressAside(content, zstd) : zstdCompressSync(content, zstd);
  return `${compressed}${encoded.toString('base64')}`;
}

/** What encodeAnswer() made of an answer; null: it is something else, or too old. */
export async function decodeAnswer(text: string): Promise<Omit<Answer, 'staleUntilMs'> | null> {
  try {
    const content = await contentOf(text);
    const end = content.indexOf('\n');
    const header: unknown = JSON.parse(content.toString('utf8', 0, end));
    if (!isHeader(header)) return null;
    const ageMs = Math.max(0, Date.now() - header.madeAt);
    if (ageMs >= header.maxAgeMs) return null;
    const { etag, tags, position, maxAgeMs, bytes } = header;
    const body = ownBytes(content.subarray(end + 1));
    if (body.length !== bytes) return null;
    const madeAtMs = performance.now() - ageMs;
    return { body, etag, tags, position, bytes, madeAtMs, expiresAtMs: madeAtMs + maxAgeMs };
  } catch {
    return null;
  }
}

async function contentOf(text: string): Promise<Buffer> {
  const rest = text.slice(1);
  if (text[0] === plain) return Buffer.from(rest);
  if (text[0] !== compressed) throw new Error('expected p or z');
  const bytes = Buffer.from(rest, 'base64');
  const options = { maxOutputLength: maxDecodedBytes };
  return rest.length > maxSyncLength ? decompressAside(bytes, options) : zstdDecompressSync(bytes, options);
}

function isHeader(value: unknown): value is Header {
  const { etag, tags, position, ...numbers } = (value ?? {}) as Record<string, unknown>;
  const isTagList = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string');
  const isText = typeof etag === 'string' && typeof position === 'string';
  return isTagList && isText && [numbers.madeAt, numbers.maxAgeMs, numbers.bytes].every(Number.isFinite);
}
