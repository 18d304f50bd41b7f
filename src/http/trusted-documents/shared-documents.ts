/** Registered documents in Redis, so that what one process was told is known to the others. */
import { orNull, type Redis } from '../../redis/client.ts';
import { sha256Of } from './manifest.ts';

export interface SharedDocuments {
  /** null: none, or Redis is away. */
  find(hash: string): Promise<string | null>;
  /** Keeps one, or notes that it is used still. The hash must have been checked. false: Redis is away. */
  keep(hash: string, text: string): Promise<boolean>;
}

export interface SharedDocumentsOptions {
  /** Default: 4,000; the longest unused make room. With their largest size they are 128 MiB. */
  maxEntries?: number;
  /** Documents that nobody has used for so long are forgotten. Default: 24 hours. */
  ttlMs?: number;
}

/** UTF-8 bytes; larger documents are known to the process that they were registered at. */
const maxSharedBytes = 32 * 1024;
/** Texts by hash; and when each was used last, in milliseconds since 1970 by the clock of a process. */
export const sharedKeys = ['tributary:registered-documents', 'tributary:registered-documents:uses'] as const;

/** KEYS: texts, uses. ARGV: hash, text, now, the oldest use to keep, entries, time to live. 100 go at a time, so that it is quick. */
const keepScript = `
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[4], 'LIMIT', 0, 100)
local over = redis.call('ZCARD', KEYS[2]) - ARGV[5]
if over > #gone then gone = redis.call('ZRANGE', KEYS[2], 0, math.min(over, 100) - 1) end
if #gone > 0 then
  redis.call('ZREM', KEYS[2], unpack(gone))
  redis.call('HDEL', KEYS[1], unpack(gone))
end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])`;

export function createSharedDocuments(redis: Redis, options: SharedDocumentsOptions = {}): SharedDocuments {
  const { maxEntries = 4_000, ttlMs = 24 * 3_600_000 } = options;
  const [texts, uses] = sharedKeys;
  return {
    async find(hash) {
      const text = await orNull(
        redis.run(async (client) => {
          const use = client.zAdd(uses, { value: hash, score: Date.now() }, { condition: 'XX' });
          const [found] = await Promise.all([client.hGet(texts, hash), use]);
          return found;
        }),
      );
      // Redis is no authority on what a hash stands for.
      return text !== null && sha256Of(text) === hash ? text : null;
    },
    async keep(hash, text) {
      if (Buffer.byteLength(text) > maxSharedBytes) return true;
      const now = Date.now();
      const values = [hash, text, now, now - ttlMs, maxEntries, ttlMs].map(String);
      const kept = redis.run(async (client) => {
        await client.eval(keepScript, { keys: [texts, uses], arguments: values });
        return true;
      });
      return (await orNull(kept)) ?? false;
    },
  };
}
