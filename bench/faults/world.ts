import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { findFreePort } from '../../src/testing/free-port.ts';
import { startTestPostgres, type TestPostgres } from '../../src/testing/test-postgres.ts';
import { startTestRedis, type TestRedis } from '../../src/testing/test-redis.ts';
import { type HealthFigures, watchHealth } from './health-watch.ts';
import type { LoadOptions, Outcome } from './outcome.ts';
import { secondsToRecover, startLoad, totalOf } from './running-load.ts';
import { type ServerProcess, startServer } from './server-process.ts';

/** What a fault did to the requests and writes under way. */
export interface Figures {
  fault: string;
  requests: number;
  outcomes: Record<Outcome, number>;
  /** Writes that the server acknowledged, at the first or a later attempt with the same key. */
  acknowledged: number;
  /** Of those, in the database. */
  found: number;
  /** Writes that are there more than once. */
  duplicates: number;
  /** First attempts that were not acknowledged, but had been done; a retry with the key found them. */
  doneUnanswered: number;
  /** Processes of ours that ended though nobody ended them. */
  crashes: number;
  /** From the return of the part to the last failure; null: the fault has no such moment. */
  recoverySeconds: number | null;
  slowestSeconds: number;
  health: HealthFigures;
  /** What else has to hold; each must be empty. */
  complaints: string[];
}

export interface World {
  readonly postgres: TestPostgres;
  readonly redis: TestRedis;
  /** The settings every server of the suite starts with. */
  readonly environment: Record<string, string>;
  close(): Promise<void>;
}

/** A Postgres with the demo data, a Redis, and a folder for what servers write. */
export async function createWorld(): Promise<World> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-faults-'));
  const database = await startTestPostgres({ max_connections: '200' });
  const redis = await startTestRedis();
  const environment = {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    DATA_DIR: dataDir,
    NODE_ENV: 'development',
    // Counted in Redis, but never reached: all of the load is one viewer.
    RATE_LIMIT_VIEWER: '999999999999/60',
    RATE_LIMIT_ADDRESS: '999999999999/60',
  };
  const first = await startServer(await findFreePort(), environment);
  await first.stop();
  return {
    postgres: database,
    redis,
    environment,
    async close() {
      await Promise.all([database.remove(), redis.stop()]);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export interface UnderLoad {
  fault: string;
  environment?: Record<string, string>;
  load?: Partial<LoadOptions>;
  /** Where the load goes; the server itself by default. */
  origin?: (server: ServerProcess) => string;
  /** Breaks something and puts it back; answers Date.now() of its return, or null when nothing returns. */
  act(server: ServerProcess): Promise<number | null>;
}

/** Runs the load, acts after two seconds, goes on for three after the return, and counts. */
export async function underLoad(world: World, options: UnderLoad): Promise<Figures> {
  const server = await startServer(await findFreePort(), { ...world.environment, ...options.environment });
  const run = `${options.fault} ${randomUUID().slice(0, 8)}`;
  const origin = options.origin?.(server) ?? server.origin;
  const load = startLoad({ origin, workers: 16, pauseMs: 10, writeEvery: 5, run, ...options.load });
  const health = watchHealth(origin);
  await pause(2_000);
  const returnedAt = await options.act(server);
  await pause(3_000);
  const healthFigures = await health.stop();
  const report = await load.stop();
  const crashes = server.isRunning() ? 0 : 1;
  const complaints = complaintsOf(server);
  if (server.isRunning()) await server.stop();
  const outcomes = totalOf(load.ticks);
  const names = report.writes.map(({ name }) => name);
  const made = await findFeatures(world.postgres.url, names);
  const acknowledged = report.writes.filter(({ id }) => id !== null);
  return {
    fault: options.fault,
    requests: Object.values(outcomes).reduce((sum, count) => sum + count, 0),
    outcomes,
    acknowledged: acknowledged.length,
    found: acknowledged.filter(({ name }) => made.has(name)).length,
    duplicates: [...made.values()].filter((times) => times.length > 1).length,
    doneUnanswered: report.writes.filter(({ name, secondAttemptAt }) => {
      const [first] = made.get(name) ?? [];
      return secondAttemptAt !== null && first !== undefined && first < secondAttemptAt;
    }).length,
    crashes,
    recoverySeconds: returnedAt === null ? null : secondsToRecover(load.ticks, returnedAt),
    slowestSeconds: report.slowestMs / 1000,
    health: healthFigures,
    complaints,
  };
}

/** Lines of the log that speak of a fault of ours. */
export function complaintsOf(server: ServerProcess): string[] {
  const lines = server.output().split('\n');
  return lines.filter((line) => /unexpected error|uncaught|unhandled|"level":60/i.test(line)).slice(0, 3);
}

/** When each was made, in milliseconds since 1970; first to last. */
async function findFeatures(url: string, names: readonly string[]): Promise<Map<string, number[]>> {
  const client = postgres(url, { max: 1, fetch_types: false, types: {} });
  try {
    const rows = await client<{ name: string; times: string }[]>`
      select name, json_agg(extract(epoch from created_at) * 1000 order by created_at)::text as times from features
      where name in (select jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb)) group by name`;
    return new Map(rows.map(({ name, times }) => [name, JSON.parse(times) as number[]]));
  } finally {
    await client.end();
  }
}
