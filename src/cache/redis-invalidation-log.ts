/** The log of several processes: a stream in Redis, read on before anything that is kept is answered. */
import { setImmediate as endOfTurn, setTimeout as pause } from 'node:timers/promises';
import { orNull, type Redis } from '../redis/client.ts';
import type { AnswerPause } from './answer-pause.ts';
import { type Change, ChangeHistory, type InvalidationLog, type Position, toPosition } from './invalidation-log.ts';

/** Of the stream by which the processes of one server tell each other what changed. */
export const changesKey = 'tributary:changes';

export interface RedisInvalidationLogOptions {
  readonly redis: Redis;
  /** Of the stream. */
  readonly key: string;
  /** The way to the other processes where Redis is none. */
  readonly answerPause: AnswerPause;
  /** Told of every change, also of those that other processes made. Must not throw. */
  readonly onChange: (change: Change) => void;
  /** Told when changes cannot be followed any more, and when they can be again. Must not throw. */
  readonly onFollowing?: (isFollowing: boolean) => void;
}

/** Entries that stay: a process that missed more drops all it keeps. */
const keptEntries = 10_000;
const entriesPerRead = 1_000;
const everything = '*';
/**
 * Of tags (footprint.ts), raised when readers look for others: a version of the code that writes the earlier ones may still
 * run beside this one, and what it tells is a change of everything then.
 */
const tagForm = '2';
/** A change of more tags than these is one of everything. */
const maxTagsOfEntry = 5_000;
const appendTries = 2;
/** Within this time every process knows that Redis is away: a socket that is silent for 1 s is given up (redis/client.ts). */
const noticeMs = 2_000;
/** Within this time every process finds a Redis that is back: its breaker tries again after 1.2 s, its socket after 0.5 s. */
const settleMs = 2_000;
const rejoinPauseMs = 50;
/** How long after its last word a process counts as one that follows: less than a pause lasts. */
const followedMs = 1_500;
const followEveryMs = 500;
/**
 * Between reads, unless so many wait. One alone takes 66 µs of CPU, a hit without it 30: 8 % less for a mix of 3,000 requests a
 * second, 13 % for hits on 32 connections, in turns.
 */
const spacingMs = 1;
const worthwhileCount = 16;

/**
 * Follows a stream. All who ask at a time share one read of it, which begins after they asked: so what is kept is
 * answered as fresh as the database would at that moment, for one round trip among many requests.
 *
 * A process that loses Redis answers nothing that is kept. A change that it cannot deliver is told by a pause in the
 * database, which it has just reached: others may follow Redis still, and lose it, too, by seeing the pause. When Redis is
 * back a process appends a change of everything, since nobody could be told what changed meanwhile, ends its pause, and
 * waits for the others to do so before it answers again. One that ends before that cannot: so processes that follow the
 * stream say so by a key that goes with them, and one that starts and finds none sends that change for them. What remains is
 * a process that reaches Redis but not the database, beside one that reaches the database but not Redis.
 */
export function createRedisInvalidationLog(options: RedisInvalidationLogOptions): InvalidationLog {
  return new RedisInvalidationLog(options);
}

/** Says that everything has changed, for who writes past the server; false: Redis did not take it within 2 s. */
export function changeEverything(redis: Redis, key: string): Promise<boolean> {
  return announceChange(redis, key, 'all');
}

/** Says that something has changed, for who follows no log; false: Redis did not take it within 2 s. */
export async function announceChange(redis: Redis, key: string, change: Change): Promise<boolean> {
  const until = performance.now() + noticeMs;
  while (performance.now() < until) {
    if ((await orNull(appendTo(redis, key, change))) !== null) return true;
    await pause(rejoinPauseMs);
  }
  return false;
}

class RedisInvalidationLog implements InvalidationLog {
  readonly #options: RedisInvalidationLogOptions;
  readonly #closing = new AbortController();
  /** On their way: as long as their position is not known they are after everything. */
  readonly #underway = new Set<{ readonly change: Change }>();
  readonly #onLoss = () => this.#lose();
  #history = new ChangeHistory(toPosition(0, 0));
  /** The last entry that was read, as Redis names it; null before the first. */
  #lastId: string | null = null;
  /** The stream cannot be followed: no connection, entries are missing, or others cannot append. Resolves when it is over. */
  #loss: Promise<void> | null = null;
  /** Whether a change could not be delivered since the last change of everything was sent. */
  #isChangeOwed = false;
  #reading: Promise<Position | null> | null = null;
  #nextReading: Promise<Position | null> | null = null;
  /** Who ask for that one. */
  #waiting = 0;
  #beganAtMs = Number.NEGATIVE_INFINITY;
  /** Begins it. */
  #begin: (() => void) | null = null;

  constructor(options: RedisInvalidationLogOptions) {
    this.#options = options;
    options.redis.client.on('error', this.#onLoss);
    options.redis.client.on('reconnecting', this.#onLoss);
    const sayFollowed = setInterval(() => {
      if (this.#lastId !== null && this.#loss === null) void orNull(this.#sayFollowed());
    }, followEveryMs).unref();
    this.#closing.signal.addEventListener('abort', () => clearInterval(sayFollowed));
  }

  catchUp(): Promise<Position | null> {
    this.#waiting += 1;
    if (this.#waiting === worthwhileCount) this.#begin?.();
    this.#nextReading ??= this.#readNext(this.#reading);
    return this.#nextReading;
  }

  async append(tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return;
    const change: Change = tags.length > maxTagsOfEntry ? 'all' : tags;
    const underway = { change };
    this.#underway.add(underway);
    this.#options.onChange(change);
    try {
      for (let tries = 0; tries < appendTries; tries++) {
        const id = await orNull(this.#append(change));
        if (id === null) continue;
        this.#history.record(positionOf(id), change);
        return;
      }
      this.#isChangeOwed = true;
      await Promise.race([this.#lose(), this.#holdPause()]);
    } finally {
      this.#underway.delete(underway);
    }
  }

  hasChangedSince(position: Position, tags: Iterable<string>): boolean {
    if (this.#lastId === null || this.#loss !== null) return true;
    const wanted = new Set(tags);
    for (const { change } of this.#underway) {
      if (change === 'all' || change.some((tag) => wanted.has(tag))) return true;
    }
    return this.#history.hasChangedSince(position, wanted);
  }

  close(): void {
    this.#closing.abort();
    this.#options.redis.client.off('error', this.#onLoss);
    this.#options.redis.client.off('reconnecting', this.#onLoss);
  }

  /** One read at a time; who comes while one is under way needs the one after it. */
  async #readNext(before: Promise<unknown> | null): Promise<Position | null> {
    await before;
    await this.#gather();
    this.#waiting = 0;
    this.#beganAtMs = performance.now();
    this.#reading = this.#nextReading;
    this.#nextReading = null;
    if (this.#loss !== null) return null;
    const isPaused = this.#options.answerPause.isPaused();
    if (isPaused !== false && (await isPaused)) {
      this.#lose();
      return null;
    }
    const isWhole = await orNull(this.#lastId === null ? this.#readAll() : this.#readFrom(this.#lastId));
    if (isWhole === false) this.#lose();
    return isWhole && this.#loss === null ? positionOf(this.#lastId!) : null;
  }

  /**
   * Resolves when the last read began some time ago, or enough wait for this one, and all that lies in the sockets has been
   * read.
   */
  async #gather(): Promise<void> {
    const restMs = this.#beganAtMs + spacingMs - performance.now();
    if (restMs > 0 && this.#waiting < worthwhileCount) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, restMs);
      this.#begin = resolve;
      await promise;
      this.#begin = null;
      clearTimeout(timer);
    }
    await endOfTurn();
  }

  /**
   * The first read: what others kept in Redis can be used as far back as the stream goes. Where nobody follows it there may
   * be changes that are not in it: made without Redis, or lost with it.
   */
  async #readAll(): Promise<boolean> {
    const { redis, key } = this.#options;
    const isFollowed = (await redis.run((client) => client.exists(followedKeyOf(key)))) === 1;
    if (!isFollowed) await this.#append('all');
    await this.#sayFollowed();
    const [first] = await this.#read('-', 1);
    const id = first?.id ?? (await this.#append([]));
    this.#history = new ChangeHistory(positionOf(id));
    this.#lastId = id;
    return this.#readFrom(id);
  }

  /** false: entries are missing. Reading begins with the entry known: another in its place means that some were lost. */
  async #readFrom(from: string): Promise<boolean> {
    for (let id = from; ; id = this.#lastId!) {
      const [known, ...entries] = await this.#read(id, entriesPerRead);
      if (known?.id !== id) return false;
      for (const entry of entries) this.#apply(entry.id, changeOf(entry.message));
      if (entries.length < entriesPerRead - 1) return true;
    }
  }

  #apply(id: string, change: Change): void {
    this.#lastId = id;
    this.#history.record(positionOf(id), change);
    if (change.length > 0) this.#options.onChange(change);
  }

  async #read(from: string, count: number) {
    const { redis, key } = this.#options;
    return redis.run((client) => client.xRange(key, from, '+', { COUNT: count }));
  }

  #append(change: Change): Promise<string> {
    return appendTo(this.#options.redis, this.#options.key, change);
  }

  /** Until a time of the clock: a Redis that was frozen with this command must not take it for new. */
  #sayFollowed(): Promise<unknown> {
    const { redis, key } = this.#options;
    return redis.run((client) => client.set(followedKeyOf(key), '', { PXAT: Date.now() + followedMs }));
  }

  #lose(): Promise<void> {
    if (this.#loss !== null) return this.#loss;
    this.#loss = this.#rejoin();
    this.#options.onFollowing?.(false);
    return this.#loss;
  }

  async #rejoin(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await pause(rejoinPauseMs, undefined, { ref: false });
      if (!(await this.#startAnew()) || this.#isChangeOwed) continue;
      this.#loss = null;
      this.#options.onChange('all');
      this.#options.onFollowing?.(true);
      return;
    }
  }

  /** false: not yet. */
  async #startAnew(): Promise<boolean> {
    const { answerPause } = this.#options;
    this.#isChangeOwed = false;
    const id = await orNull(this.#append('all'));
    if (id === null) return false;
    // Whoever follows Redis knows now; a pause that stays by mistake only costs time.
    await answerPause.release().catch(() => {});
    await pause(settleMs, undefined, { ref: false });
    this.#history = new ChangeHistory(positionOf(id));
    this.#lastId = id;
    return (await orNull(this.#readFrom(id))) === true && !(await answerPause.isPaused());
  }

  /** Without the database, too, all that is left is that they lose Redis as well. */
  async #holdPause(): Promise<void> {
    await this.#options.answerPause.hold().catch(() => pause(noticeMs, undefined, { ref: false }));
  }
}

function followedKeyOf(key: string): string {
  return `${key}:followed`;
}

/** Answers the id of the entry. */
function appendTo(redis: Redis, key: string, change: Change): Promise<string> {
  const message = { tags: change === 'all' ? everything : change.join('\n'), form: tagForm };
  const trim = { strategy: 'MAXLEN', strategyModifier: '~', threshold: keptEntries } as const;
  return redis.run((client) => client.xAdd(key, '*', message, { TRIM: trim }));
}

function changeOf(message: Record<string, string>): Change {
  const { tags = everything, form } = message;
  if (tags === everything || form !== tagForm) return 'all';
  return tags === '' ? [] : tags.split('\n');
}

/** An id of a stream: its milliseconds and its number within them. */
function positionOf(id: string): Position {
  const [milliseconds, count] = id.split('-');
  return toPosition(Number(milliseconds), Number(count));
}
