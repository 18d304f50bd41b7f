import type { Logger } from 'pino';
import { AnswerCache } from './cache/answer-cache.ts';
import { AnswerPause } from './cache/answer-pause.ts';
import { type Change, createLocalInvalidationLog } from './cache/invalidation-log.ts';
import { changesKey, createRedisInvalidationLog } from './cache/redis-invalidation-log.ts';
import type { Config } from './config.ts';
import type { Database } from './db/database.ts';
import type { Redis } from './redis/client.ts';
import type { Shutdown } from './shutdown.ts';
import type { Metrics } from './telemetry/metrics.ts';

/**
 * The cache of answers of this process; null: the settings want none.
 * @param database - of a connection that is for this alone, so that no request makes it wait
 */
export function openCache(
  { config, log, metrics, shutdown }: { config: Config; log: Logger; metrics: Metrics; shutdown: Shutdown },
  { redis, database }: { redis: Redis | null; database: Database },
): AnswerCache | null {
  const { responseCacheBytes: maxBytes } = config;
  if (maxBytes === 0) return null;
  const cache = new AnswerCache({
    maxBytes,
    openLog: (onChange) => (redis ? follow({ redis, database }, onChange, log) : createLocalInvalidationLog(onChange)),
    onOutcome: metrics.onAnswer,
    onRemoval: metrics.onAnswerRemoval,
  });
  metrics.watchCache(cache);
  shutdown.onEnd(async () => cache.close());
  return cache;
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
