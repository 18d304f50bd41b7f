import type { Plugin } from 'graphql-yoga';
import type { Context } from '../context.ts';

const asksAnew = /(?:^|,)\s*no-(?:cache|store)\s*(?:,|$)/i;

/** Whether the client wants no answer that was kept: as HTTP has it, by any method. */
export function wantsNewAnswer({ headers }: Request): boolean {
  return asksAnew.test(headers.get('cache-control') ?? '');
}

/** Says in the extensions of an answer which of its fields were answered as earlier questions were. */
export function useSemanticCacheReport(): Plugin<Context> {
  return {
    onExecute: ({ context: { semanticHits } }) => ({
      onExecuteDone({ result, setResult }) {
        if (semanticHits.length === 0 || Symbol.asyncIterator in result) return;
        const semanticCache = semanticHits.map(({ path, similarity, ageMs }) => ({
          path,
          similarity: Math.round(similarity * 1_000) / 1_000,
          ageSeconds: Math.floor(ageMs / 1_000),
        }));
        setResult({ ...result, extensions: { ...result.extensions, semanticCache } });
      },
    }),
  };
}
