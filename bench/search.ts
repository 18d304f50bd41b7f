import { monitorEventLoopDelay } from 'node:perf_hooks';
import { readBanking77 } from '../models/training/data-files.ts';
import type { Pool } from '../src/db/database.ts';
import { migrate } from '../src/db/migrate.ts';
import { createPool } from '../src/db/pool.ts';
import { createPassageIndex } from '../src/domains/documents/passage-index.ts';
import { listEmbeddingStates } from '../src/domains/documents/queries/passage.ts';
import { type SearchMode, searchDocuments } from '../src/domains/documents/search-documents.ts';
import { createOrganization } from '../src/testing/seed-builders.ts';
import { startTestPostgres } from '../src/testing/test-postgres.ts';
import { createBankingDocuments, insertBenchDocument, titleOf } from './banking-documents.ts';
import { median } from './statistics.ts';

const modes: readonly SearchMode[] = ['KEYWORD', 'SEMANTIC', 'HYBRID'];
const passages = 100_000;
const passagesPerDocument = 10;
const dimensions = 128;
const searches = 50;

/**
 * 77 documents, each the training questions of an intent of Banking77 under its name: how often a test question finds
 * its intent first, and among the first five. Then the time of exact search among 100,000 passages.
 */
export async function benchSearch({ data, questions }: { data: string; questions: number }): Promise<void> {
  const server = await startTestPostgres();
  try {
    await migrate(server.url);
    const database = createPool({ connection: server.url, size: 4 });
    await measureQuality(database, data, questions);
    await measureTime(database);
    await database.close();
  } finally {
    await server.remove();
  }
}

async function measureQuality(database: Pool, data: string, questions: number): Promise<void> {
  const { context, organizationId, inference } = await createBankingDocuments(database, data);
  const all = readBanking77(data, 'test');
  const step = Math.max(1, Math.floor(all.length / questions));
  const test = all.filter((_, index) => index % step === 0);
  for (const mode of modes) {
    const ranks: number[] = [];
    for (const { text, intent } of test) {
      const search = { query: text, mode, first: 5 };
      const { matches } = await searchDocuments(context, organizationId, search);
      ranks.push(matches.findIndex(({ document }) => document.title === titleOf(intent)));
    }
    const within = (most: number) => ranks.filter((rank) => rank >= 0 && rank < most).length / ranks.length;
    console.log(
      `${mode}: first ${within(1).toFixed(3)}, among five ${within(5).toFixed(3)} of ${ranks.length} questions`,
    );
  }
  await inference.close();
}

async function measureTime(database: Pool): Promise<void> {
  const viewer = await createOrganization(database);
  for (let from = 0; from < passages; from += passagesPerDocument) {
    const vectors = Array.from({ length: passagesPerDocument }, randomVector);
    const places = vectors.map(() => ({ start: 0, length: 1 }));
    await insertBenchDocument(database, viewer, { title: 'x', content: 'x' }, { version: 'bench/1', places, vectors });
  }
  const [state] = await listEmbeddingStates(database, viewer.organizationId);
  const set = { organizationId: viewer.organizationId, ...state! };
  const index = createPassageIndex({ database });
  const { signal } = new AbortController();
  const search = () => index.nearest({ set, vector: randomVector(), limit: 50, minScore: 0.25, signal });
  const before = process.memoryUsage().arrayBuffers;
  const first = await timed(search);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const times: number[] = [];
  for (let run = 0; run < searches; run++) times.push(await timed(search));
  delay.disable();
  const megabytes = (process.memoryUsage().arrayBuffers - before) / 1e6;
  console.log(`${passages} passages: ${median(times).toFixed(1)} ms a search, the first one ${first.toFixed(0)} ms,`);
  console.log(
    `  event loop late by ${(delay.percentile(99) / 1e6 - 1).toFixed(1)} ms (p99), ${megabytes.toFixed(0)} MB`,
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function randomVector(): Float32Array {
  const vector = Float32Array.from({ length: dimensions }, () => Math.random() - 0.5);
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}
