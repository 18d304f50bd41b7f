import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Of } from '../../src/http/trusted-documents/manifest.ts';
import { type LimitServer, startLimitServer } from '../limits/limit-server.ts';
import { loadCore, pin } from '../process-cpu.ts';
import { type BenchDatabase, startBenchDatabase } from './bench-database.ts';
import { type OwnServer, startOwnServer } from './own-server.ts';
import type { Facts, Scenario } from './scenario.ts';

/** What scenarios need beside our server. */
export interface BenchWorld {
  readonly database: BenchDatabase;
  readonly limits: LimitServer;
  /** Whether servers have a core of their own. */
  readonly isPinned: boolean;
}

/**
 * Pins this process, starts a database with data and the limits, and ends them when `use` is done.
 * @param features the scale of the data
 */
export async function withBenchWorld<Result>(
  features: number,
  use: (world: BenchWorld) => Promise<Result>,
): Promise<Result> {
  const isPinned = pin(process.pid, loadCore);
  const database = await startBenchDatabase(features);
  try {
    const limits = await startLimitServer(database);
    try {
      return await use({ database, limits, isPinned });
    } finally {
      await limits.stop();
    }
  } finally {
    await database.remove();
  }
}

/** Our server of a kind, ended when `use` is done. */
export async function withOwnServer<Result>(
  { database }: BenchWorld,
  start: { environment: Readonly<Record<string, string>>; profile?: string | undefined },
  use: (server: OwnServer) => Promise<Result>,
): Promise<Result> {
  const server = await startOwnServer(database, start);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

export const coldEnvironment = { PREDICTION_CACHE_BYTES: '0' };

/** Its trusted documents are the operations of these scenarios, and written now. */
export function cachedEnvironment(
  { database }: BenchWorld,
  scenarios: readonly Scenario[],
  facts: Facts,
): Readonly<Record<string, string>> {
  const path = join(database.dataDir, 'trusted-documents.json');
  const texts = scenarios.map((scenario) => scenario.operation(facts).query);
  writeFileSync(path, JSON.stringify(Object.fromEntries(texts.map((text) => [sha256Of(text), text]))));
  return { TRUSTED_DOCUMENTS: 'only', TRUSTED_DOCUMENTS_PATH: path, RESPONSE_CACHE_BYTES: String(64 * 2 ** 20) };
}
