import { Registry } from 'prom-client';
import { readBanking77 } from '../models/training/data-files.ts';
import { createRandom } from '../models/training/random.ts';
import { createLocalInvalidationLog } from '../src/cache/invalidation-log.ts';
import { SemanticCache } from '../src/cache/semantic-cache.ts';
import { migrate } from '../src/db/migrate.ts';
import { createPool } from '../src/db/pool.ts';
import { listDistinctions } from '../src/domains/documents/distinctions.ts';
import type { FoundDocuments } from '../src/domains/documents/queries/document.ts';
import { searchDocuments } from '../src/domains/documents/search-documents.ts';
import { embeddingVersion, embedTexts, sameQuestionSimilarity } from '../src/domains/predictions/embed-texts.ts';
import { startTestPostgres } from '../src/testing/test-postgres.ts';
import { type BankingDocuments, createBankingDocuments } from './banking-documents.ts';
import { median, percentile } from './statistics.ts';

const otherThresholds = [0.8, 0.85, 0.9, 0.92, 0.95, 0.98];
const first = 5;

interface Asked {
  text: string;
  intent: string;
  vector: Float32Array;
  /** Of a search that was made for it, best first. */
  documentIds: string[];
}

/**
 * The 3,080 test questions of Banking77 in a seeded random order against an empty cache: the share that is answered as an
 * earlier one, how many of those have its intent, and how many get the first document that a search of their own finds,
 * first or among five (77 documents: the training questions of each intent). No test question was seen in training, and
 * the threshold was chosen on a fifth of the training questions by a model that had not seen them (models/training).
 */
export async function benchSemanticCache({ data, entries, seed }: { data: string; entries: number; seed: number }) {
  const server = await startTestPostgres();
  try {
    await migrate(server.url);
    const database = createPool({ connection: server.url, size: 4 });
    const documents = await createBankingDocuments(database, data);
    const asked = await askAnew(documents, data, seed);
    const threshold = sameQuestionSimilarity(embeddingVersion(documents.inference))!;
    console.log(`${asked.length} questions in the order of seed ${seed}, ${entries} entries, threshold ${threshold}`);
    console.log(
      'threshold  hit rate  same intent  same first document  among the five  (as they are / other numbers and negations apart)',
    );
    for (const least of [...otherThresholds, threshold].toSorted((a, b) => a - b)) {
      const plain = await replay(asked, entries, least, () => '');
      const apart = await replay(asked, entries, least, ({ text }) => JSON.stringify(listDistinctions(text)));
      const pair = (name: keyof Replayed) => `${plain[name].toFixed(3)} / ${apart[name].toFixed(3)}`;
      const mark = least === threshold ? ' <- the model' : '';
      console.log(
        `${least.toFixed(3)}  ${pair('hitRate')}  ${pair('sameIntent')}  ${pair('sameFirst')}  ${pair('holdsFirst')}${mark}`,
      );
    }
    await measureTime(documents, asked, entries);
    await documents.inference.close();
    await database.close();
  } finally {
    await server.remove();
  }
}

/** Each question searched for itself. */
async function askAnew({ context, organizationId }: BankingDocuments, data: string, seed: number): Promise<Asked[]> {
  const questions = readBanking77(data, 'test');
  const order = Int32Array.from(questions, (_, index) => index);
  createRandom(seed).shuffle(order);
  const asked: Asked[] = [];
  for (const index of order) {
    const { text, intent } = questions[index]!;
    const [vector] = await embedTexts(context, organizationId, [text], embeddingVersion(context.inference));
    if (vector instanceof Error) throw vector;
    const search = { query: text, mode: 'HYBRID', first } as const;
    const { matches } = await searchDocuments(context, organizationId, search);
    asked.push({ text, intent, vector: vector!, documentIds: matches.map(({ document }) => document.id) });
  }
  return asked;
}

interface Replayed {
  hitRate: number;
  /** Of the hits. */
  sameIntent: number;
  sameFirst: number;
  /** The first document of its own search is among those it got. */
  holdsFirst: number;
}

async function replay(
  asked: readonly Asked[],
  maxEntries: number,
  minSimilarity: number,
  kindOf: (asked: Asked) => string,
): Promise<Replayed> {
  const cache = createCache<Asked>(maxEntries);
  const hits: { question: Asked; earlier: Asked }[] = [];
  for (const question of asked) {
    const { text, vector } = question;
    const wanted = { organizationId: 'bench', kind: kindOf(question), text, minSimilarity, embed: async () => vector };
    const given = await cache.answer(wanted, async () => ({ answer: question, vector }));
    if (given.earlier) hits.push({ question, earlier: given.answer });
  }
  const share = (isSame: (hit: (typeof hits)[number]) => boolean) => hits.filter(isSame).length / hits.length;
  return {
    hitRate: hits.length / asked.length,
    sameIntent: share(({ question, earlier }) => question.intent === earlier.intent),
    sameFirst: share(({ question, earlier }) => question.documentIds[0] === earlier.documentIds[0]),
    holdsFirst: share(({ question, earlier }) => earlier.documentIds.includes(question.documentIds[0]!)),
  };
}

/** A search with the cache, by how it was answered; then what the cache alone takes when it is full. */
async function measureTime({ context, organizationId }: BankingDocuments, asked: readonly Asked[], entries: number) {
  const semanticCache = createCache<FoundDocuments>(entries);
  const hits: number[] = [];
  const misses: number[] = [];
  for (const { text: query } of asked) {
    const startedAt = performance.now();
    const search = { query, mode: 'HYBRID', first } as const;
    const { earlier } = await searchDocuments({ ...context, semanticCache }, organizationId, search);
    (earlier ? hits : misses).push(performance.now() - startedAt);
  }
  const figures = (times: number[]) => `${median(times).toFixed(2)} ms, p99 ${percentile(times, 0.99).toFixed(2)}`;
  console.log(
    `search with the cache: ${hits.length} hits ${figures(hits)}; ${misses.length} misses ${figures(misses)}`,
  );

  const full = createCache<null>(entries);
  const times: number[] = [];
  for (const { text, vector } of [...asked, ...asked]) {
    const never = { organizationId, kind: '', text, minSimilarity: 2, embed: async () => vector };
    const startedAt = performance.now();
    await full.answer(never, async () => ({ answer: null, vector }));
    times.push(performance.now() - startedAt);
  }
  console.log(`the nearest of ${full.count} entries: ${figures(times.slice(asked.length))}`);
}

function createCache<Answer>(maxEntries: number): SemanticCache<Answer> {
  const log = createLocalInvalidationLog(() => {});
  return new SemanticCache<Answer>({ log, registry: new Registry(), maxEntries });
}
