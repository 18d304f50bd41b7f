import { expect, test } from 'vitest';
import { edgeTagsOfAnswer } from '../cdn/edge-tags.ts';
import type { CacheScope } from '../schema/policy.ts';
import { answerHeaders } from './answer-headers.ts';

const readOfFeatures = ['/features', 'org/features.*', 'org/features.id=1'];

/** Of an answer that is 2,000 s old and has 1,000 s to live. */
function headersOf({ scope = 'public', tags = readOfFeatures, method = 'GET' }: Partial<Given> = {}) {
  const now = performance.now();
  const answer = { etag: '"e"', madeAtMs: now - 2_000_500, expiresAtMs: now + 1_000_000, tags };
  const list = answerHeaders(answer, { method, scope, source: 'hit', encoding: 'identity', vary: null });
  return Object.fromEntries(
    Array.from({ length: list.length / 2 }, (_, index) => list.slice(index * 2, index * 2 + 2)),
  );
}

interface Given {
  scope: CacheScope;
  tags: readonly string[];
  method: string;
}

test('an answer of everybody says its whole life beside its age, and by what it is purged', () => {
  const edgeTags = edgeTagsOfAnswer(readOfFeatures)!;
  expect(headersOf()).toMatchObject({
    age: '2000',
    'cache-control': 'public, max-age=0, s-maxage=3000, stale-while-revalidate=10',
    'cache-tag': edgeTags.join(','),
    'surrogate-key': edgeTags.join(' '),
  });
});

test.each<[string, Partial<Given>, string]>([
  ['of an organization', { scope: 'organization' }, 'private, no-cache'],
  ['of everybody, made of what is not purged,', { tags: [...readOfFeatures, 'org/users'] }, 'private, no-cache'],
  ['to a POST', { method: 'POST' }, 'no-store'],
])('an answer %s is not for edges', (_label, given, control) => {
  const headers = headersOf(given);
  expect(headers['cache-control']).toBe(control);
  for (const name of ['cache-tag', 'surrogate-key']) expect(headers).not.toHaveProperty(name);
});
