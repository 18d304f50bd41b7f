/**
 * Tags by which edges (CDN, Varnish) know the answers they keep: short, safe in a header, and one-way, as an answer's own
 * tags name tables and ids. The same for who tags an answer and who purges, so that processes need to share nothing.
 */
import { hash } from 'node:crypto';

/**
 * Tables that everybody's answers may be made of. What is made of another table is not for edges, so that only writes to
 * these need to purge.
 */
const publicTables: ReadonlySet<string> = new Set(['features', 'test_cases']);

/** On every answer: purging it purges everything. */
export const everythingTag = 'tributary';

/** CloudFront takes 50 for an answer, Akamai 128, Cloudflare 1,000. With 12 digits each they are 650 bytes of a header. */
const maxTags = 50;
/** 48 bits; two tags that share one are purged together, nothing worse. In lower case, as some edges know no other. */
const tagLength = 12;

/** What a tag of footprint.ts says: `org/table`, `org/table.*` or `org/table.column=value`. */
const tagPattern = /^([^/]*\/([^.]+))(\..*)?$/s;

/**
 * The tags of an answer for edges, from those of what it was made of. Of too many it gets coarser ones, by which more
 * writes purge it than need to. null: edges must not keep it, as not every write to it would be purged.
 */
export function edgeTagsOfAnswer(tags: readonly string[]): readonly string[] | null {
  if (!tags.every(isPublic)) return null;
  const fine = toEdgeTags(tags);
  if (fine.length <= maxTags) return fine;
  // Every write tells its table, whatever else it tells.
  const coarse = toEdgeTags(tags.map((tag) => (isKeyed(tag) ? tableOf(tag) : tag)));
  return coarse.length <= maxTags ? coarse : null;
}

/** What a write is to purge; empty: no edge keeps anything of it. */
export function edgeTagsOfWrite(tags: readonly string[]): readonly string[] {
  return tags.filter(isPublic).map(toEdgeTag);
}

function toEdgeTags(tags: readonly string[]): readonly string[] {
  return [everythingTag, ...new Set(tags.map(toEdgeTag))];
}

function toEdgeTag(tag: string): string {
  return hash('sha256', tag).slice(0, tagLength);
}

function isPublic(tag: string): boolean {
  return publicTables.has(tagPattern.exec(tag)?.[2] ?? '');
}

function isKeyed(tag: string): boolean {
  return tagPattern.exec(tag)?.[3]?.includes('=') ?? false;
}

function tableOf(tag: string): string {
  return tagPattern.exec(tag)![1]!;
}
