import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { AnswerCache } from './cache/answer-cache.ts';
import { AnswerPause } from './cache/answer-pause.ts';
import { type Change, createLocalInvalidationLog } from './cache/invalidation-log.ts';
import { changesKey, createRedisInvalidationLog } from './cache/redis-invalidation-log.ts';
import { SharedTier } from './cache/shared-tier.ts';
import { codeHashOf } from './code-hash.ts';
import type { Config } from './config.ts';
import type { Database } from './db/database.ts';
import { createRedis, type Redis } from './redis/client.ts';
import type { Shutdown } from './shutdown.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** What others have kept is worth no longer wait: it can be made. */
const sharedAnswerTimeoutMs = 50;

interface Process {
  config: Config;
  log: Logger;
  metrics: Metrics;
  shutdown: Shutdown;
}

/**
 * The cache of answers of this process, shared with others where there is Redis; null: the settings want none.
 * @param openDatabase - called where there is Redis: a connection that is for this alone, so that no request makes it wait
 */
export function openCache(
  given: Process,
  { redis, openDatabase }: { redis: Redis | null; openDatabase: () => Database },
): AnswerCache | null {
  const { config, log, metrics, shutdown } = given;
  const { responseCacheBytes: maxBytes } = config;
  if (maxBytes === 0) return null;
  const cache = new AnswerCache({
    ...metrics.cache,
    maxBytes,
    openLog: (onChange) =>
      redis ? follow({ redis, database: openDatabase() }, onChange, log) : createLocalInvalidationLog(onChange),
    sharedTier: openSharedTier(given),
  });
  metrics.cache.watch(cache);
  shutdown.onEnd(async () => cache.close());
  return cache;
}

/**
 * Over a connection of its own: its values are long, and a late one must neither delay the log of changes nor open the
 * breaker that the log stands behind. What it fails to do is counted by the cache.
 */
function openSharedTier({ config, log, metrics, shutdown }: Process): SharedTier | undefined {
  if (config.redisUrl === undefined) return undefined;
  const connection = log.child({ connection: 'answers' });
  const redis = createRedis({
    url: config.redisUrl,
    log: connection,
    registry: new Registry(),
    commandTimeoutMs: sharedAnswerTimeoutMs,
  });
  shutdown.onEnd(async () => redis.close());
  const { onSharedRead: onRead, onSharedWrite: onWrite, onWait } = metrics.cache;
  return new SharedTier({ redis, deployment: codeHashOf(import.meta.dirname), onRead, onWrite, onWait });
}

function follow(
  { redis, database }: { redis: Redis; database: Database },
  onChange: (change: Change) => void,
  log: Logger,
) {
  return createRedisInvalidationLog({
    redis,
    answerPause: new AnswerPause(database),
    key: changesKey,
    onChange,
    onFollowing: (isFollowing) => {
      if (isFollowing) log.info('changes of other processes are known again: answers are kept');
      else log.warn('changes of other processes are not known: no answer is kept');
    },
  });
}
