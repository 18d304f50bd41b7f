/** What HTTP is told of an answer that is kept. */
import type { Answer } from '../cache/answer-cache.ts';
import type { CacheScope } from '../schema/policy.ts';
import { edgeHeaders } from './edge-headers.ts';

/** How it was answered, for Cache-Status (RFC 9211). */
export type AnswerSource = 'hit' | 'stored';

const staleSeconds = 10;

/**
 * Cache-Status for every answer; for GET also an ETag and Cache-Control: what is everybody's may be kept by those in
 * between, what is somebody's is asked for anew each time, and costs its ETag only.
 */
export function answerHeaders(
  method: string | undefined,
  answer: Pick<Answer, 'etag' | 'tags' | 'madeAtMs' | 'expiresAtMs'>,
  scope: CacheScope,
  source: AnswerSource,
): Record<string, string> {
  const now = performance.now();
  const ttlSeconds = Math.max(0, Math.floor((answer.expiresAtMs - now) / 1_000));
  const status = source === 'hit' ? `tributary; hit; ttl=${ttlSeconds}` : 'tributary; fwd=miss; stored';
  if (method !== 'GET') return { 'cache-status': status };
  const shared = scope === 'public' ? edgeHeaders(answer) : null;
  // Of its whole life: those who keep it take the age off.
  const lifeSeconds = Math.floor((answer.expiresAtMs - answer.madeAtMs) / 1_000);
  return {
    'cache-status': status,
    age: String(Math.floor((now - answer.madeAtMs) / 1_000)),
    etag: answer.etag,
    'cache-control': shared
      ? `public, max-age=0, s-maxage=${lifeSeconds}, stale-while-revalidate=${staleSeconds}`
      : 'private, no-cache',
    ...shared,
    vary: scope === 'public' ? 'accept' : 'accept, authorization',
  };
}

/** Whether a GET names this very answer in If-None-Match (RFC 9110, section 13.1.2: weak comparison). */
export function isUnchanged(
  method: string | undefined,
  ifNoneMatch: string | null | undefined,
  { etag }: Pick<Answer, 'etag'>,
): boolean {
  if (method !== 'GET' || !ifNoneMatch) return false;
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*');
}
