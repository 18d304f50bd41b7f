/** Who makes an answer that is expensive, among all processes: one at a time, and for no longer than its lease. */
import { randomUUID } from 'node:crypto';
import { orNull, type Redis } from '../redis/client.ts';

/** The right to make an answer. It ends by itself, too: its owner may die. */
export interface Lease {
  /** Never rejects. */
  release(): Promise<void>;
}

const leaseKeyPrefix = 'tributary:making';
/** Only the owner's: it may have ended, and be another's now. */
const releaseScript = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/** The lease of a key; `taken`: another process has it; null: Redis does not say. */
export async function takeLease(redis: Redis, key: string, forMs: number): Promise<Lease | 'taken' | null> {
  const name = `${leaseKeyPrefix}:${key}`;
  const token = randomUUID();
  const taken = await orNull(redis.run(async (client) => [await client.set(name, token, { NX: true, PX: forMs })]));
  if (taken === null) return null;
  if (taken[0] === null) return 'taken';
  return {
    async release() {
      await orNull(redis.run((client) => client.eval(releaseScript, { keys: [name], arguments: [token] })));
    },
  };
}
