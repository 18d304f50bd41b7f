import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { startTestPostgres } from '../../src/testing/test-postgres.ts';
import { undoAtExit } from '../../src/testing/undo-at-exit.ts';

/** A Postgres of the bench's own, with data. */
export interface BenchDatabase {
  readonly url: string;
  /** Of the demo organization, which has the data. */
  readonly userId: string;
  readonly organizationId: string;
  /** For what servers write. */
  readonly dataDir: string;
  remove(): Promise<void>;
}

/**
 * Starts a Postgres and seeds it as `npm run seed` does; both run on this process's core.
 * @param features the scale: 20,000 make 2,000 users, 100,000 test cases, 40,000 deployments, 20,000 conversations and
 *   400,000 messages
 * @param seed fills the empty database
 * @param settings of Postgres, where its own defaults are not meant
 */
export async function startBenchDatabase(
  features: number,
  seed: (url: string, features: number) => Promise<void> = seedOfNow,
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchDatabase> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  const database = await startTestPostgres({ max_connections: '200', ...settings });
  const removeDataDir = () => rmSync(dataDir, { recursive: true, force: true });
  const cancelUndo = undoAtExit(removeDataDir);
  const remove = async () => {
    await database.remove();
    removeDataDir();
    cancelUndo();
  };
  try {
    await seed(database.url, features);
    return { url: database.url, ...(await findDemoUser(database.url)), dataDir, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function seedOfNow(url: string, features: number): Promise<void> {
  const args = ['src/seed/cli.ts', '--scale', String(features)];
  execFileSync(process.execPath, args, { env: { DATABASE_URL: url }, stdio: ['ignore', 'ignore', 'inherit'] });
}

async function findDemoUser(url: string): Promise<{ userId: string; organizationId: string }> {
  const client = postgres(url, { max: 1, fetch_types: false });
  try {
    const [row] = await client<{ userId: string; organizationId: string }[]>`
      select id as "userId", organization_id as "organizationId" from users where email = 'ada@riverbank.example'`;
    return row!;
  } finally {
    await client.end();
  }
}
