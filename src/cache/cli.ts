/** `npm run cache -- stats | purge TAG | clear`: the shared tier of the cache, and what all processes keep. */
import { Command } from 'commander';
import { getTableName, isTable } from 'drizzle-orm';
import { Registry } from 'prom-client';
import { readConfig } from '../config.ts';
import * as accounts from '../domains/accounts/tables.ts';
import * as conversations from '../domains/conversations/tables.ts';
import * as documents from '../domains/documents/tables.ts';
import * as features from '../domains/features/tables.ts';
import * as predictions from '../domains/predictions/tables.ts';
import { StartupError } from '../errors.ts';
import { explainFailure } from '../explain-failure.ts';
import { createRedis, type Redis } from '../redis/client.ts';
import { createLog } from '../telemetry/log.ts';
import type { Change } from './invalidation-log.ts';
import { changeOfPurge } from './purge-tags.ts';
import { announceChange, changesKey } from './redis-invalidation-log.ts';
import { deleteAnswers, reportSharedTier, type SharedTierReport } from './shared-tier-report.ts';

const connectLimitMs = 2_000;
const noAnswer = 'REDIS_URL: no connection within 2 s, by address, user or password; nothing was done';

/** Runs work with the Redis of the settings. */
async function withRedis(work: (redis: Redis) => Promise<void>): Promise<void> {
  const { redisUrl } = readConfig(undefined, 'models');
  if (redisUrl === undefined) {
    throw new StartupError('REDIS_URL is not set: without Redis each process keeps its own answers only');
  }
  const redis = createRedis({ url: redisUrl, log: await createLog('silent'), registry: new Registry() });
  try {
    await connected(redis);
    await work(redis);
  } finally {
    redis.close();
  }
}

function connected({ client }: Redis): Promise<void> {
  if (client.isReady) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new StartupError(noAnswer)), connectLimitMs);
    client.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

async function purge(redis: Redis, change: Change): Promise<void> {
  if (!(await announceChange(redis, changesKey, change))) throw new StartupError(noAnswer);
}

function printReport(report: SharedTierReport): void {
  const { answers, isComplete, bytes, operations, changes, lastChangeAt, isFollowed } = report;
  const { redisBytes, redisMaxBytes, redisPolicy } = report;
  const count = `${isComplete ? '' : 'more than '}${answers.toLocaleString('en')}`;
  console.log(`answers in Redis: ${count}, about ${describeBytes(bytes)}`);
  for (const { name, answers: of } of operations) console.log(`  ${of.toLocaleString('en')} of ${name || '(no name)'}`);
  const last = lastChangeAt === null ? 'none yet' : `the last at ${new Date(lastChangeAt).toISOString()}`;
  console.log(`changes in the log: ${changes.toLocaleString('en')}, ${last}`);
  console.log(`processes that follow them: ${isFollowed ? 'at least one' : 'none'}`);
  const limit = redisMaxBytes === 0 ? 'no limit' : `at most ${describeBytes(redisMaxBytes)}, then ${redisPolicy}`;
  console.log(`memory of Redis: ${describeBytes(redisBytes)}, ${limit}`);
  console.log('hits and misses of each process: tributary_cache_* at its /metrics');
}

function describeBytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function tableNames(): string[] {
  return [accounts, conversations, documents, features, predictions]
    .flatMap((domain) => Object.values<unknown>(domain))
    .filter((value) => isTable(value))
    .map((table) => getTableName(table));
}

const command = new Command('npm run cache --').description('Looks into the cache of answers, and empties it.');
command
  .command('stats')
  .description('what lies in Redis: answers by operation, changes, memory')
  .action(() => withRedis(async ({ client }) => printReport(await reportSharedTier(client, changesKey))));
command
  .command('purge')
  .argument(
    '<tag>',
    'what has changed: ORGANIZATION/table, ORGANIZATION/table.column=value, /table, ORGANIZATION/table*',
  )
  .description('makes every process forget what was made of it, as if it had been written')
  .action(async (tag: string) => {
    const change = changeOfPurge(tag, tableNames());
    await withRedis((redis) => purge(redis, change));
    console.log(change === 'all' ? 'purged: everything' : `purged: ${change.join(', ')}`);
  });
command
  .command('clear')
  .description('makes every process forget all answers, and deletes those in Redis')
  .action(() =>
    withRedis(async (redis) => {
      await purge(redis, 'all');
      console.log(`cleared: ${(await deleteAnswers(redis.client)).toLocaleString('en')} answers deleted`);
    }),
  );

try {
  await command.parseAsync();
} catch (error) {
  console.error(explainFailure(error));
  process.exitCode = 1;
}
