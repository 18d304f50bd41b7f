import type { Context } from '../../context.ts';
import type { LoadedVersion } from '../../inference/engine.ts';
import type { NearDocument } from '../../inference/vector-index.ts';
import { embeddingKey, embeddingVersion, embedTexts, listEmbeddingVersions } from '../predictions/embed-texts.ts';
import {
  type DocumentMatch,
  describeFoundDocuments,
  rankDocumentsByKeyword,
  searchDocumentsByKeyword,
} from './queries/document.ts';
import { listEmbeddingStates } from './queries/passage.ts';
import { fuseRanks } from './rank-fusion.ts';
import type { EmbeddingState } from './tables.ts';

export type SearchMode = 'KEYWORD' | 'SEMANTIC' | 'HYBRID';

export interface DocumentSearch {
  query: string;
  mode: SearchMode;
  /** Most documents. */
  first: number;
}

type SearchContext = Pick<Context, 'database' | 'inference' | 'predictions' | 'signal' | 'vectors'>;

/** How deep the lists are that HYBRID makes one of. */
const fusedDepth = 50;
/**
 * The cosine below which a passage is no match. Measured with version 1 of the model and the 12 articles of the demo: of
 * their own sentences as queries 98 % keep their article (of 3 words of each: 80 %), while of 1,000 comments of
 * GoEmotions, which none of them answers, 62 % find one (3 words: 36 %), on average 1.8 of 12. With 0.2: 99 (89) against
 * 84 (62), with 0.3: 95 (70) against 36 (15). Of the test questions of Banking77, 99 % are nearer than 0.38 to their intent.
 */
const minSimilarity = 0.25;

/**
 * The documents that answer a query, best first, equally good ones by id. KEYWORD: those that hold its words. SEMANTIC:
 * those with a passage like it. HYBRID: both lists as one by their ranks; by the words alone while no model can embed
 * the query.
 * @throws OVERLOADED or TIMEOUT when SEMANTIC cannot embed the query now
 */
export async function searchDocuments(
  context: SearchContext,
  organizationId: string,
  { query, mode, first }: DocumentSearch,
): Promise<DocumentMatch[]> {
  const { database } = context;
  if (mode === 'KEYWORD') return searchDocumentsByKeyword(database, organizationId, { query, limit: first });
  if (mode === 'SEMANTIC') {
    const near = await findNear(context, organizationId, { query, limit: first, isRequired: true });
    const ranked = near.list.map(({ documentId, score }) => ({ id: documentId, score }));
    return describe(context, organizationId, { query, near, ranked, prefersKeyword: false });
  }
  const limit = Math.max(first, fusedDepth);
  const [near, worded] = await Promise.all([
    findNear(context, organizationId, { query, limit, isRequired: false }),
    rankDocumentsByKeyword(database, organizationId, { query, limit }),
  ]);
  const ranked = fuseRanks([worded, near.list.map(({ documentId }) => documentId)]).slice(0, first);
  return describe(context, organizationId, { query, near, ranked, prefersKeyword: true });
}

/** Documents near a query, and by which version; null: by none. */
interface Near {
  version: string | null;
  list: NearDocument[];
}

const nothing: Near = { version: null, list: [] };

async function findNear(
  context: SearchContext,
  organizationId: string,
  { query, limit, isRequired }: { query: string; limit: number; isRequired: boolean },
): Promise<Near> {
  const { database, inference, vectors, signal } = context;
  const found = chooseVersion(context, await listEmbeddingStates(database, organizationId));
  if (!found) {
    // That nothing is like the query can be said only with a model.
    if (isRequired) embeddingVersion(inference);
    return nothing;
  }
  const vector = await embedQuery(context, organizationId, query, found.version).catch((error: unknown) => {
    if (isRequired) throw error;
    signal.throwIfAborted();
    return null;
  });
  if (vector === null) return nothing;
  const set = { organizationId, ...found.state };
  const list = await vectors.nearest({ set, vector, limit, minScore: minSimilarity, signal });
  return { version: set.version, list };
}

async function embedQuery(
  context: SearchContext,
  organizationId: string,
  query: string,
  version: LoadedVersion,
): Promise<Float32Array> {
  const [vector] = await embedTexts(context, organizationId, [query], version);
  if (vector instanceof Error) throw vector;
  return vector!;
}

/** The loaded version that has embedded most of the documents: while another takes over, the one before it goes on. */
function chooseVersion({ inference }: SearchContext, states: readonly EmbeddingState[]) {
  let best: { version: LoadedVersion; state: EmbeddingState } | null = null;
  for (const version of listEmbeddingVersions(inference)) {
    const state = states.find((known) => known.version === embeddingKey(version));
    if (state && state.documents > (best?.state.documents ?? 0)) best = { version, state };
  }
  return best;
}

async function describe(
  { database }: SearchContext,
  organizationId: string,
  found: { query: string; near: Near; ranked: readonly { id: string; score: number }[]; prefersKeyword: boolean },
): Promise<DocumentMatch[]> {
  const { query, near, ranked, prefersKeyword } = found;
  if (ranked.length === 0) return [];
  const ids = ranked.map(({ id }) => id);
  const positions = new Map(near.list.map(({ documentId, position }) => [documentId, position]));
  const documents = await describeFoundDocuments(database, organizationId, {
    query,
    version: near.version ?? '',
    prefersKeyword,
    ids,
    positions: ids.map((id) => positions.get(id) ?? -1),
  });
  const byId = new Map(documents.map(({ excerpt, ...document }) => [document.id, { document, excerpt }]));
  return ranked.flatMap(({ id, score }) => {
    const match = byId.get(id);
    return match ? [{ ...match, score }] : [];
  });
}
