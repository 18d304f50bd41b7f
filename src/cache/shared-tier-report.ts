/** What lies in Redis of the cache: for an operator, without a look at each key. */
import type { RedisClient } from '../redis/client.ts';
import { answerKeyPrefix } from './answer-key.ts';

export interface SharedTierReport {
  readonly answers: number;
  /** false: there are more than were looked at. */
  readonly isComplete: boolean;
  /** Of answers with their keys, from a sample. */
  readonly bytes: number;
  /** The most frequent names first; '' are those without. */
  readonly operations: readonly { readonly name: string; readonly answers: number }[];
  /** Entries in the log of changes. */
  readonly changes: number;
  /** Milliseconds since 1970; null: nothing has changed. */
  readonly lastChangeAt: number | null;
  readonly isFollowed: boolean;
  readonly redisBytes: number;
  /** 0: as many as the machine has. */
  readonly redisMaxBytes: number;
  readonly redisPolicy: string;
}

const keysPerScan = 1_000;
const maxScannedKeys = 1_000_000;
const sampledKeys = 500;
const shownOperations = 10;

/** Reads the figures; changesKey is that of the log. */
export async function reportSharedTier(client: RedisClient, changesKey: string): Promise<SharedTierReport> {
  const operations = new Map<string, number>();
  const sample: string[] = [];
  let answers = 0;
  let isComplete = true;
  for await (const keys of scanAnswers(client)) {
    for (const key of keys) {
      answers += 1;
      const name = key.split(':')[4] ?? '';
      operations.set(name, (operations.get(name) ?? 0) + 1);
      // Each key is in the sample with the same probability (reservoir sampling, Vitter's algorithm R).
      const place = answers <= sampledKeys ? answers - 1 : Math.floor(Math.random() * answers);
      if (place < sampledKeys) sample[place] = key;
    }
    isComplete = answers < maxScannedKeys;
    if (!isComplete) break;
  }
  const sizes = await Promise.all(sample.map((key) => client.memoryUsage(key)));
  const sum = sizes.reduce<number>((total, size) => total + (size ?? 0), 0);
  const [last] = await client.xRevRange(changesKey, '+', '-', { COUNT: 1 });
  const memory = await client.info('memory');
  const field = (name: string) => new RegExp(`^${name}:(.*)\\r?$`, 'm').exec(memory)?.[1] ?? '';
  return {
    answers,
    isComplete,
    bytes: sample.length === 0 ? 0 : Math.round((sum / sample.length) * answers),
    operations: [...operations]
      .map(([name, count]) => ({ name, answers: count }))
      .sort((one, other) => other.answers - one.answers)
      .slice(0, shownOperations),
    changes: await client.xLen(changesKey),
    lastChangeAt: last ? Number(last.id.split('-')[0]) : null,
    isFollowed: (await client.exists(`${changesKey}:followed`)) === 1,
    redisBytes: Number(field('used_memory')),
    redisMaxBytes: Number(field('maxmemory')),
    redisPolicy: field('maxmemory_policy'),
  };
}

/** Deletes all answers; returns how many. New ones may come meanwhile. */
export async function deleteAnswers(client: RedisClient): Promise<number> {
  let deleted = 0;
  for await (const keys of scanAnswers(client)) if (keys.length > 0) deleted += await client.unlink(keys);
  return deleted;
}

function scanAnswers(client: RedisClient) {
  return client.scanIterator({ MATCH: `${answerKeyPrefix}:*`, COUNT: keysPerScan });
}
