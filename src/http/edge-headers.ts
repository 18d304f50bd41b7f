import type { Answer } from '../cache/answer-cache.ts';
import { edgeTagsOfAnswer } from '../cdn/edge-tags.ts';

// Up to 50 hashes, of an answer that is sent many times.
const known = new WeakMap<readonly string[], Record<string, string> | null>();

/**
 * The tags by which edges purge an answer of everybody: `Cache-Tag` as Cloudflare, CloudFront and (under another name)
 * Akamai read them, `Surrogate-Key` as Fastly and Varnish do. null: edges must not keep it.
 */
export function edgeHeaders({ tags }: Pick<Answer, 'tags'>): Record<string, string> | null {
  let headers = known.get(tags);
  if (headers === undefined) {
    const edgeTags = edgeTagsOfAnswer(tags);
    headers = edgeTags && { 'cache-tag': edgeTags.join(','), 'surrogate-key': edgeTags.join(' ') };
    known.set(tags, headers);
  }
  return headers;
}
