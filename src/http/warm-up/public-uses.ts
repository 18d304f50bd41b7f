/** Which trusted documents are asked for most with which variables where the answer is everybody's, over all processes. */
import { orNull, type Redis } from '../../redis/client.ts';
import { sha256Of } from '../trusted-documents/manifest.ts';
import type { TrustedDocuments } from '../trusted-documents/trusted-documents.ts';

/** A document with its variables. */
export interface PublicUse {
  /** One more, at the cost of an addition. */
  add(): void;
}

export interface UsedDocument {
  readonly sha256: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

export interface PublicUsesOptions {
  readonly redis: Redis;
  readonly documents: Pick<TrustedDocuments, 'find'>;
  /** Milliseconds between two reports to Redis. Default: 10,000. */
  readonly reportMs?: number;
}

/** Sorted sets of each day (UTC), so that what was used long ago is forgotten: how often, by SHA-256, a blank, variables. */
export const usesKeyPrefix = 'tributary:public-uses:';
const keptSeconds = 2 * 86_400;
/** Of a day; the least used make room. */
const maxKeptUses = 1_000;
/** Counted at a time, and of them reported: the most used. */
const maxCountedUses = 10_000;
const maxReportedUses = 500;
/** Characters of JSON; longer variables are rarely those of many. */
const maxVariablesLength = 1_024;

export class PublicUses {
  readonly #options: PublicUsesOptions;
  readonly #timer: NodeJS.Timeout;
  /** Those that were used since the last report. */
  #counted: Count[] = [];

  constructor(options: PublicUsesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.report(), options.reportMs ?? 10_000).unref();
  }

  /**
   * Where to count an operation whose answers are public, for as long as it is held; null: it is not counted.
   * @param variables JSON with its keys in order
   */
  of(text: string, variables: string): PublicUse | null {
    if (variables.length > maxVariablesLength) return null;
    const sha256 = sha256Of(text);
    return this.#options.documents.find(sha256) ? new Count(`${sha256} ${variables}`, this.#note) : null;
  }

  /** Tells Redis what was counted since the last time; what it does not take is forgotten. */
  async report(): Promise<void> {
    const uses = new Map<string, number>();
    for (const count of this.#counted.splice(0)) uses.set(count.use, (uses.get(count.use) ?? 0) + count.take());
    if (uses.size === 0) return;
    const most = [...uses].sort(([, one], [, other]) => other - one).slice(0, maxReportedUses);
    const key = keyOf(Date.now());
    const work = this.#options.redis.run(async (client) => {
      const additions = most.map(([value, times]) => client.zIncrBy(key, times, value));
      const bounds = [client.zRemRangeByRank(key, 0, -maxKeptUses - 1), client.expire(key, keptSeconds)];
      await Promise.all([...additions, ...bounds]);
    });
    await orNull(work);
  }

  /** The most used of today and yesterday, most first; none while Redis is away. */
  async most(count: number): Promise<UsedDocument[]> {
    const keys = [keyOf(Date.now()), keyOf(Date.now() - 86_400_000)];
    const days = this.#options.redis.run((client) =>
      Promise.all(keys.map((key) => client.zRangeWithScores(key, 0, count - 1, { REV: true }))),
    );
    const times = new Map<string, number>();
    for (const { value, score } of ((await orNull(days)) ?? []).flat()) {
      times.set(value, (times.get(value) ?? 0) + score);
    }
    const ordered = [...times].sort(([, one], [, other]) => other - one).slice(0, count);
    return ordered.flatMap(([use]) => readUse(use));
  }

  /** Reports a last time. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.report();
  }

  readonly #note = (count: Count): void => {
    if (this.#counted.length < maxCountedUses) this.#counted.push(count);
  };
}

class Count implements PublicUse {
  readonly use: string;
  readonly #onFirst: (count: Count) => void;
  #times = 0;

  constructor(use: string, onFirst: (count: Count) => void) {
    this.use = use;
    this.#onFirst = onFirst;
  }

  add(): void {
    this.#times += 1;
    if (this.#times === 1) this.#onFirst(this);
  }

  /** From zero again, so that the next is the first. */
  take(): number {
    const times = this.#times;
    this.#times = 0;
    return times;
  }
}

function keyOf(nowMs: number): string {
  return usesKeyPrefix + new Date(nowMs).toISOString().slice(0, 10);
}

/** What is in Redis may be anything. */
function readUse(use: string): UsedDocument[] {
  const [, sha256, json] = /^([0-9a-f]{64}) (\{.*\})$/s.exec(use) ?? [];
  try {
    return sha256 === undefined ? [] : [{ sha256, variables: JSON.parse(json!) as UsedDocument['variables'] }];
  } catch {
    return [];
  }
}
