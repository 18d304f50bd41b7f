import type { Context } from '../../context.ts';
import { notingDatabase } from '../../db/noting-database.ts';
import type { LoadedVersion } from '../../inference/engine.ts';
import type { NearDocument } from '../../inference/vector-index.ts';
import {
  embeddingKey,
  embeddingVersion,
  embedTexts,
  listEmbeddingVersions,
  sameQuestionSimilarity,
} from '../predictions/embed-texts.ts';
import { listDistinctions } from './distinctions.ts';
import {
  type DocumentMatch,
  describeFoundDocuments,
  type FoundDocuments,
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

type SearchContext = Pick<Context, 'database' | 'inference' | 'predictions' | 'semanticCache' | 'signal' | 'vectors'>;
type FindContext = Omit<SearchContext, 'semanticCache'>;

export interface SearchResult {
  matches: DocumentMatch[];
  /** Of which earlier question these are the documents; null: they were searched for this one. */
  earlier: { similarity: number; ageMs: number } | null;
}

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
 * the query. With a semantic cache, which documents and passages they are, and their scores, may have been found for an
 * earlier question that is the same by the model's measure; rows are read anew, and words marked as this query has them.
 * @throws OVERLOADED or TIMEOUT when SEMANTIC cannot embed the query now
 */
export async function searchDocuments(
  context: SearchContext,
  organizationId: string,
  search: DocumentSearch,
): Promise<SearchResult> {
  const { query, mode, first } = search;
  if (mode === 'KEYWORD') {
    const matches = await searchDocumentsByKeyword(context.database, organizationId, { query, limit: first });
    return { matches, earlier: null };
  }
  const { answer, earlier } = await recallOrFind(context, organizationId, search);
  return { matches: await describe(context, organizationId, search, answer), earlier };
}

async function recallOrFind(context: SearchContext, organizationId: string, search: DocumentSearch) {
  const { inference, semanticCache } = context;
  const { query, mode, first } = search;
  const embed = createQueryEmbedder(context, organizationId, query);
  const versions = listEmbeddingVersions(inference);
  const serving = versions[0];
  const minSimilarity = serving ? sameQuestionSimilarity(serving) : null;
  if (!semanticCache || !serving || minSimilarity === null) {
    return { answer: await findDocuments(context, organizationId, search, embed), earlier: null };
  }
  // Which of the versions answers depends on what is stored, and on which of them are loaded.
  const kind = JSON.stringify([mode, first, versions.map(embeddingKey), listDistinctions(query)]);
  const question = { organizationId, kind, text: query, minSimilarity, embed: () => embed(serving).catch(() => null) };
  return semanticCache.answer(question, async (note) => {
    // The index reads past this what the state of the organization tells of.
    const database = notingDatabase(context.database, note);
    const { predictions, signal, vectors } = context;
    const noting = { database, inference, predictions, signal, vectors };
    const answer = await findDocuments(noting, organizationId, search, embed);
    const isComparable = answer.version === embeddingKey(serving);
    return { answer, vector: isComparable ? await embed(serving) : null };
  });
}

type QueryEmbedder = (version: LoadedVersion) => Promise<Float32Array>;

/** Embeds a query once by each version. */
function createQueryEmbedder(context: FindContext, organizationId: string, query: string): QueryEmbedder {
  const vectors = new Map<string, Promise<Float32Array>>();
  return (version) => {
    const key = embeddingKey(version);
    const vector = vectors.get(key) ?? embedQuery(context, organizationId, query, version);
    vectors.set(key, vector);
    return vector;
  };
}

async function findDocuments(
  context: FindContext,
  organizationId: string,
  { query, mode, first }: DocumentSearch,
  embed: QueryEmbedder,
): Promise<FoundDocuments> {
  if (mode === 'SEMANTIC') {
    const { version, list } = await findNear(context, organizationId, { embed, limit: first, isRequired: true });
    return { version, ranked: list.map(({ documentId: id, score, position }) => ({ id, score, position })) };
  }
  const limit = Math.max(first, fusedDepth);
  const [near, worded] = await Promise.all([
    findNear(context, organizationId, { embed, limit, isRequired: false }),
    rankDocumentsByKeyword(context.database, organizationId, { query, limit }),
  ]);
  const positions = new Map(near.list.map(({ documentId, position }) => [documentId, position]));
  const ranked = fuseRanks([worded, near.list.map(({ documentId }) => documentId)]).slice(0, first);
  const located = ranked.map(({ id, score }) => ({ id, score, position: positions.get(id) ?? -1 }));
  return { version: near.version, ranked: located };
}

/** Documents near a query, and by which version; null: by none. */
interface Near {
  version: string | null;
  list: NearDocument[];
}

const nothing: Near = { version: null, list: [] };

async function findNear(
  context: FindContext,
  organizationId: string,
  { embed, limit, isRequired }: { embed: QueryEmbedder; limit: number; isRequired: boolean },
): Promise<Near> {
  const { database, inference, vectors, signal } = context;
  const found = chooseVersion(context, await listEmbeddingStates(database, organizationId));
  if (!found) {
    // That nothing is like the query can be said only with a model.
    if (isRequired) embeddingVersion(inference);
    return nothing;
  }
  const vector = await embed(found.version).catch((error: unknown) => {
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
  context: FindContext,
  organizationId: string,
  query: string,
  version: LoadedVersion,
): Promise<Float32Array> {
  const [vector] = await embedTexts(context, organizationId, [query], version);
  if (vector instanceof Error) throw vector;
  return vector!;
}

/** The loaded version that has embedded most of the documents: while another takes over, the one before it goes on. */
function chooseVersion({ inference }: FindContext, states: readonly EmbeddingState[]) {
  let best: { version: LoadedVersion; state: EmbeddingState } | null = null;
  for (const version of listEmbeddingVersions(inference)) {
    const state = states.find((known) => known.version === embeddingKey(version));
    if (state && state.documents > (best?.state.documents ?? 0)) best = { version, state };
  }
  return best;
}

async function describe(
  { database }: FindContext,
  organizationId: string,
  { query, mode }: DocumentSearch,
  { version, ranked }: FoundDocuments,
): Promise<DocumentMatch[]> {
  if (ranked.length === 0) return [];
  const documents = await describeFoundDocuments(database, organizationId, {
    query,
    version: version ?? '',
    prefersKeyword: mode === 'HYBRID',
    ids: ranked.map(({ id }) => id),
    positions: ranked.map(({ position }) => position),
  });
  const byId = new Map(documents.map(({ excerpt, ...document }) => [document.id, { document, excerpt }]));
  return ranked.flatMap(({ id, score }) => {
    const match = byId.get(id);
    return match ? [{ ...match, score }] : [];
  });
}
