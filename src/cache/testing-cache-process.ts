import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { vi } from 'vitest';
import type { Database } from '../db/database.ts';
import { createRedis, type Redis, RedisUnavailable } from '../redis/client.ts';
import { AnswerCache, type AnswerCacheOptions, Making } from './answer-cache.ts';
import { AnswerPause } from './answer-pause.ts';
import type { OperationRecord, Outcome } from './operation-record.ts';
import { createRedisInvalidationLog } from './redis-invalidation-log.ts';
import type { SharedRead, SharedWrite } from './shared-answers.ts';
import { SharedTier, type SharedTierOptions, type WaitEnd } from './shared-tier.ts';

/** What one process has of the cache, with connections of its own, and all that it told. */
export interface CacheProcess extends AsyncDisposable {
  readonly cache: AnswerCache;
  readonly operation: OperationRecord;
  /** Of the values. */
  readonly redis: Redis;
  readonly registry: Registry;
  readonly outcomes: Outcome[];
  readonly reads: SharedRead[];
  readonly writes: SharedWrite[];
  readonly waits: WaitEnd[];
  readonly races: () => number;
  /** The body of an answer made of tags, found or made. */
  ask(key: string, make: () => Promise<string> | string, tags?: readonly string[]): Promise<string>;
}

export interface CacheProcessOptions {
  readonly url: string;
  readonly database: Database;
  /** Where the values are. Default: where the log is. */
  readonly valuesUrl?: string;
  /** Of the log. */
  readonly changesKey?: string;
  /** Whether values that come late are given up, as in a server. Default: they are asked for again. */
  readonly hasDeadline?: boolean;
  readonly tier?: Partial<SharedTierOptions>;
  readonly cache?: Partial<AnswerCacheOptions>;
}

const maxAgeMs = 300_000;

/** As src/open-cache.ts opens it; answers are shared however fast they are made. */
export async function openCacheProcess(options: CacheProcessOptions): Promise<CacheProcess> {
  const { url, database, valuesUrl = url, changesKey = 'test:changes', hasDeadline = false, tier } = options;
  const log = pino({ level: 'silent' });
  const registry = new Registry();
  const redis = createRedis({ url: valuesUrl, log, registry });
  const logRedis = createRedis({ url, log, registry: new Registry() });
  await vi.waitUntil(() => redis.isUp && logRedis.isUp, { timeout: 10_000 });
  const [outcomes, reads, writes, waits]: [Outcome[], SharedRead[], SharedWrite[], WaitEnd[]] = [[], [], [], []];
  let races = 0;
  const sharedTier = new SharedTier({
    redis: hasDeadline ? redis : patient(redis),
    minMakingMs: 0,
    deployment: 'code',
    onRead: (read) => reads.push(read),
    onWrite: (write) => writes.push(write),
    onWait: (end) => waits.push(end),
    ...tier,
  });
  const cache = new AnswerCache({
    openLog: (onChange) =>
      createRedisInvalidationLog({
        redis: patient(logRedis),
        key: changesKey,
        // A machine that is busy with other tests is no database that is away.
        answerPause: new AnswerPause(database, { checkTimeoutMs: 10_000 }),
        onChange,
      }),
    maxBytes: 2 ** 24,
    sharedTier,
    onOutcome: (outcome) => outcomes.push(outcome),
    onRace: () => (races += 1),
    ...options.cache,
  });
  const operation = cache.record('Test', 'public');
  return {
    cache,
    operation,
    redis,
    registry,
    outcomes,
    reads,
    writes,
    waits,
    races: () => races,
    async ask(key, make, tags = ['a']) {
      const found = await cache.find(key, operation);
      if (found === null) return make();
      if (!(found instanceof Making)) return found.body.toString();
      try {
        const body = await make();
        found.keep({ body: Buffer.from(body), tags, maxAgeMs });
        return body;
      } finally {
        found.drop();
      }
    },
    async [Symbol.asyncDispose]() {
      cache.close();
      redis.close();
      logRedis.close();
    },
  };
}

/** A machine that is busy with other tests is no Redis that is late. */
function patient(redis: Redis): Redis {
  return {
    client: redis.client,
    get isUp() {
      return redis.isUp;
    },
    async run(work) {
      for (;;) {
        try {
          return await redis.run(work);
        } catch (error) {
          const isLate = error instanceof RedisUnavailable && ['timeout', 'open'].includes(error.reason);
          if (!isLate) throw error;
          await pause(10);
        }
      }
    },
    close: () => redis.close(),
  };
}
