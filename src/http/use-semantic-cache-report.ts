import type { Plugin } from 'graphql-yoga';
import type { Context, SemanticHit } from '../context.ts';

const asksAnew = /(?:^|,)\s*no-(?:cache|store)\s*(?:,|$)/i;

/** Whether the client wants no answer that was kept: as HTTP has it, by any method. @param cacheControl its header */
export function wantsNewAnswer(cacheControl: string | null | undefined): boolean {
  return cacheControl != null && asksAnew.test(cacheControl);
}

/** What the extensions of an answer say of fields that were answered as earlier questions were. */
export function semanticCacheReport(hits: readonly SemanticHit[]) {
  const semanticCache = hits.map(({ path, similarity, ageMs }) => ({
    path,
    similarity: Math.round(similarity * 1_000) / 1_000,
    ageSeconds: Math.floor(ageMs / 1_000),
  }));
  return { semanticCache };
}

/** Says in the extensions of an answer which of its fields were answered as earlier questions were. */
export function useSemanticCacheReport(): Plugin<Context> {
  return {
    onExecute: ({ context: { semanticHits } }) => ({
      onExecuteDone({ result, setResult }) {
        if (semanticHits.length === 0 || Symbol.asyncIterator in result) return;
        setResult({ ...result, extensions: { ...result.extensions, ...semanticCacheReport(semanticHits) } });
      },
    }),
  };
}
