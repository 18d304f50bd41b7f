import { performance } from 'node:perf_hooks';
import { readConfig } from '../src/config.ts';
import type { Pool } from '../src/db/database.ts';
import { createPool } from '../src/db/pool.ts';
import { joinDatabaseServer } from '../src/db/server.ts';
import { scanModelRepository } from '../src/inference/repository.ts';
import { createWorkerEngine } from '../src/inference/worker-engine.ts';
import { askInProcess, createInProcessApp } from './in-process-app.ts';
import { median } from './statistics.ts';

const pageSize = 100;
const deepPage = 5_000;
const rounds = 200;
const limit = 1.2;

const query = `query ($after: String) {
  features(first: ${pageSize}, after: $after) { nodes { id name status createdAt } pageInfo { endCursor hasNextPage } }
}`;

interface PageAnswer {
  features: { nodes: unknown[]; pageInfo: { endCursor: string | null; hasNextPage: boolean } };
}

/**
 * Page 1 against page 5,000 of the features of the database that settings name, by cursor, through the whole server but
 * the socket; the two take turns. Fails when the deep page's median is over 1.2 times the first's.
 */
export async function benchDeepPages(): Promise<void> {
  const config = readConfig();
  const server = await joinDatabaseServer({ ...config, purpose: 'npm run bench', onLoss: console.error });
  const database = createPool({ connection: server.connection, size: 4 });
  try {
    await compare(database, config.modelsDir);
  } finally {
    await database.close();
    await server.stop();
  }
}

async function compare(database: Pool, modelsDir: string): Promise<void> {
  const inference = await createWorkerEngine({ repository: await scanModelRepository(modelsDir), workers: 1 });
  const app = createInProcessApp(database, inference);
  const load = async (after: string | null) => (await askInProcess<PageAnswer>(app, query, { after })).features;
  const after = await walk(load);
  const first: number[] = [];
  const deep: number[] = [];
  for (let round = 0; round < rounds; round++) {
    first.push(await time(() => load(null)));
    deep.push(await time(() => load(after)));
  }
  await inference.close();
  const ratio = median(deep) / median(first);
  console.log(
    `page 1: ${median(first).toFixed(2)} ms, page ${deepPage}: ${median(deep).toFixed(2)} ms (medians of ${rounds}, ${pageSize} a page)`,
  );
  console.log(`ratio ${ratio.toFixed(2)}, allowed ${limit}`);
  if (ratio > limit) process.exitCode = 1;
}

/** The cursor before the deep page. */
async function walk(load: (after: string | null) => Promise<PageAnswer['features']>): Promise<string> {
  let after: string | null = null;
  for (let page = 1; page < deepPage; page++) {
    const { pageInfo } = await load(after);
    if (!pageInfo.hasNextPage) {
      throw new Error(`only ${page} pages of ${pageSize}: seed at least ${deepPage * pageSize} features first`);
    }
    after = pageInfo.endCursor;
  }
  return after!;
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
