/** `npm run seed -- --scale N`: demo data or as many as a benchmark wants, into the server's database. */
import { Command } from 'commander';
import { Registry } from 'prom-client';
import { changeEverything, changesKey } from '../cache/redis-invalidation-log.ts';
import { createPurger } from '../cdn/purger.ts';
import { type Config, readConfig } from '../config.ts';
import type { Pool } from '../db/database.ts';
import { migrate } from '../db/migrate.ts';
import { createPool } from '../db/pool.ts';
import { joinDatabaseServer } from '../db/server.ts';
import { explainFailure } from '../explain-failure.ts';
import { scanModelRepository } from '../inference/repository.ts';
import { createWorkerEngine } from '../inference/worker-engine.ts';
import { createRedis } from '../redis/client.ts';
import { createLog } from '../telemetry/log.ts';
import { maxFeatures, maxMessagesPerConversation, parseScale } from './bulk/scale.ts';
import { finishInterrupted, seedScale } from './bulk/seed-scale.ts';
import { seedDemoOnce } from './demo.ts';
import { measureDisk, vacuumTables } from './maintenance.ts';
import { createProgress, type Progress, secondsSince } from './progress.ts';

interface Flags {
  scale: string;
  messagesPerConversation?: string;
  reset: boolean;
}

async function main(flags: Flags): Promise<void> {
  const scale = parseScale(flags.scale, flags.messagesPerConversation);
  const config = readConfig();
  const progress = createProgress(process.stdout);
  const startedMs = performance.now();
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const server = await joinDatabaseServer({ ...config, purpose: 'npm run seed', onLoss: exitWith });
    ends.push(() => server.stop());
    await migrate(server.connection);
    const database = createPool({ connection: server.connection, size: 2 });
    ends.push(() => database.close());
    const inference = await createWorkerEngine({ repository: await scanModelRepository(config.modelsDir) });
    ends.push(() => inference.close());
    const options = { database, inference, now: new Date(), isReset: flags.reset };
    if (!flags.reset && (await finishInterrupted(database, progress))) {
      progress.note('An earlier seed was complete but for its VACUUM, which is done now.');
    }
    if (scale === 'demo') await seedDemo(options, progress);
    else await seedScale({ ...options, scale, progress });
    if (config.redisUrl !== undefined) await announceChange(config.redisUrl, progress);
    await purgeEdges(config);
    await report(database, progress, startedMs);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function seedDemo(options: Parameters<typeof seedDemoOnce>[0], progress: Progress): Promise<void> {
  if ((await seedDemoOnce(options)) === 'present') {
    progress.note('The demo data are there already: add --reset to delete everything and seed again.');
  } else {
    await vacuumTables(options.database, () => {});
  }
}

/** Servers that run keep answers from before. */
async function announceChange(url: string, progress: Progress): Promise<void> {
  const redis = createRedis({ url, log: await createLog('silent'), registry: new Registry() });
  try {
    if (await changeEverything(redis, changesKey)) return;
    progress.note(
      'Redis does not answer: servers that run may answer from before the seed until their answers expire.',
    );
  } finally {
    redis.close();
  }
}

/** After the servers, which they ask again; a failure is logged. */
async function purgeEdges(config: Config): Promise<void> {
  const purger = createPurger({ ...config, log: await createLog('error'), registry: new Registry() });
  await purger.purgeEverything();
  await purger.close();
}

async function report(database: Pool, progress: Progress, startedMs: number): Promise<void> {
  const { tables, totalBytes } = await measureDisk(database);
  const largest = tables.slice(0, 6).map(({ table, bytes }) => `${table} ${describeBytes(bytes)}`);
  progress.note(
    `Done in ${secondsSince(startedMs)} s; the database takes ${describeBytes(totalBytes)}: ${largest.join(', ')}.`,
  );
}

function describeBytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function exitWith(error: Error): void {
  console.error(error.message);
  process.exit(1);
}

const command = new Command('npm run seed --')
  .description('Fills the database with demo data.')
  .requiredOption('--scale <size>', `"demo", or a number of features, 1 to ${maxFeatures}; other tables in proportion`)
  .option(
    '--messages-per-conversation <count>',
    `on average, 1 to ${maxMessagesPerConversation} (default: 20, above 100,000 features 10)`,
  )
  .option('--reset', 'delete all rows of all organizations first', false);

try {
  await main(command.parse().opts<Flags>());
} catch (error) {
  console.error(explainFailure(error));
  process.exitCode = 1;
}
