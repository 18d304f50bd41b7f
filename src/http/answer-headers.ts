/** What HTTP is told of an answer that is kept. */
import type { Answer } from '../cache/answer-cache.ts';
import { edgeTagsOfAnswer } from '../cdn/edge-tags.ts';
import type { CacheScope } from '../schema/policy.ts';
import { type ContentEncoding, contentEncodings } from './encoding/accept-encoding.ts';
import { defaultCacheControl } from './security-headers.ts';

/** How it was answered, for Cache-Status (RFC 9211): kept in this process, kept in the shared tier, made. */
export type AnswerSource = 'hit' | 'l2' | 'stored';

type KnownAnswer = Pick<Answer, 'etag' | 'madeAtMs' | 'expiresAtMs' | 'tags'>;

const sharedControls = new WeakMap<KnownAnswer, readonly string[]>();
const staleSeconds = 10;
const ownControl = ['cache-control', 'private, no-cache'];

export interface AnswerHeaderOptions {
  readonly method: string | undefined;
  readonly scope: CacheScope;
  readonly source: AnswerSource;
  /** The form of the body that is sent, or that the client has. */
  readonly encoding: ContentEncoding;
  /** By what the answer varies besides. */
  readonly vary: string | null;
}

/**
 * Names and values in turn: Cache-Status and Vary for every answer; for GET also an ETag and Cache-Control: what is
 * everybody's may be kept by those in between, what is somebody's is asked for anew each time, and costs its ETag only.
 */
export function answerHeaders(answer: KnownAnswer, options: AnswerHeaderOptions): string[] {
  const { method, scope, source, encoding, vary } = options;
  const now = performance.now();
  const ttlSeconds = Math.max(0, Math.floor((answer.expiresAtMs - now) / 1_000));
  const hit = `tributary; hit; ttl=${ttlSeconds}`;
  const status = { hit, l2: `${hit}; detail=l2`, stored: 'tributary; fwd=miss; stored' }[source];
  const ownVary = scope === 'public' ? 'accept, accept-encoding' : 'accept, accept-encoding, authorization';
  const allVary = vary === null ? ownVary : `${vary}, ${ownVary}`;
  if (method !== 'GET') return ['cache-status', status, 'vary', allVary, ...defaultCacheControl];
  return [
    'cache-status',
    status,
    'vary',
    allVary,
    ...(scope === 'public' ? sharedControl(answer) : ownControl),
    'age',
    String(Math.floor((now - answer.madeAtMs) / 1_000)),
    'etag',
    etagOf(answer, encoding),
  ];
}

/** The ETag of a form of the body, quoted as HTTP wants it: the compressed ones are other bytes. */
export function etagOf({ etag }: KnownAnswer, encoding: ContentEncoding): string {
  return encoding === 'identity' ? etag : `${etag.slice(0, -1)}-${encoding}"`;
}

/**
 * The form of this very answer that a GET names in If-None-Match (RFC 9110, section 13.1.2: weak comparison), so has
 * already; the one it would get, if that is among several. null: none, or not a GET.
 */
export function formAtClient(
  { method, ifNoneMatch }: { method: string | undefined; ifNoneMatch: string | null | undefined },
  answer: KnownAnswer,
  encoding: ContentEncoding,
): ContentEncoding | null {
  if (method !== 'GET' || !ifNoneMatch) return null;
  const named = new Set(ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, '')));
  if (named.has('*')) return encoding;
  return [encoding, ...contentEncodings].find((form) => named.has(etagOf(answer, form))) ?? null;
}

/**
 * Cache-Control of what is everybody's, with the tags that edges purge it by: Cache-Tag is what Cloudflare and CloudFront
 * read, Surrogate-Key what Fastly and Varnish do.
 */
function sharedControl(answer: KnownAnswer): readonly string[] {
  let control = sharedControls.get(answer);
  if (control === undefined) {
    const edgeTags = edgeTagsOfAnswer(answer.tags);
    // The whole life: who keeps the answer takes its Age off.
    const seconds = Math.floor((answer.expiresAtMs - answer.madeAtMs) / 1_000);
    const shared = `public, max-age=0, s-maxage=${seconds}, stale-while-revalidate=${staleSeconds}`;
    control =
      edgeTags === null
        ? ownControl
        : ['cache-control', shared, 'cache-tag', edgeTags.join(), 'surrogate-key', edgeTags.join(' ')];
    sharedControls.set(answer, control);
  }
  return control;
}
