/** Answers kept for those who ask the same again: never from before a change that was acknowledged when they asked. */
import { hash } from 'node:crypto';
import type { CacheScope } from '../schema/policy.ts';
import { AnswerMemory, type KeptAnswer, type Removal } from './answer-memory.ts';
import type { Change, InvalidationLog, Position } from './invalidation-log.ts';
import type { Lease } from './making-leases.ts';
import { type AnswerCounts, createAnswerCounts, type OperationRecord, type Outcome } from './operation-record.ts';
import type { SharedTier } from './shared-tier.ts';

export interface Answer extends KeptAnswer {
  readonly body: Buffer;
  /** Of the body, quoted as HTTP wants it. */
  readonly etag: string;
  /** Up to where it is known to be fresh. */
  readonly position: Position;
  /** performance.now() when it was made, and until when it may be answered. */
  readonly madeAtMs: number;
  readonly expiresAtMs: number;
  /** Until when it may be answered while it is made anew. */
  readonly staleUntilMs: number;
}

export interface AnswerCacheOptions {
  /** Opens the log of changes; it tells the cache of each. */
  readonly openLog: (onChange: (change: Change) => void) => InvalidationLog;
  readonly maxBytes: number;
  /** What all processes keep. Default: each keeps its own answers only. */
  readonly sharedTier?: SharedTier | undefined;
  /** How long an expired answer may still be given while it is made anew. Default: 10,000. */
  readonly staleMs?: number;
  /** Where the outcomes of an operation are counted. */
  readonly countsOf?: (operationName: string, scope: CacheScope) => AnswerCounts;
  readonly onOutcome?: (outcome: Outcome) => void;
  readonly onChange?: (change: Change) => void;
  readonly onRemoval?: (removal: Removal) => void;
  /** An answer was not kept, as something it was made of changed meanwhile. */
  readonly onRace?: () => void;
}

const defaultStaleMs = 10_000;
/** Of the hash: 24 characters. */
const etagBytes = 18;
/** Answers that were made together do not expire together: up to this share of their time less. */
const jitter = 0.1;

export class AnswerCache {
  readonly #options: AnswerCacheOptions;
  readonly #memory: AnswerMemory<Answer>;
  readonly #log: InvalidationLog;
  readonly #making = new Map<string, Making>();

  constructor(options: AnswerCacheOptions) {
    const { maxBytes, onRemoval, onChange, openLog } = options;
    this.#options = options;
    this.#memory = new AnswerMemory({ maxBytes, ...(onRemoval && { onRemoval }) });
    this.#log = openLog((change) => {
      this.#memory.drop(change);
      onChange?.(change);
    });
  }

  get count(): number {
    return this.#memory.count;
  }

  get bytes(): number {
    return this.#memory.bytes;
  }

  /** Of what changed, for who keeps other things by it. */
  get log(): InvalidationLog {
    return this.#log;
  }

  /** For the pool: resolves when nobody is answered from before the change any more. */
  readonly onWrite = (tags: readonly string[]): Promise<void> => this.#log.append(tags);

  /** What find() and peek() are told of an operation; made once for each. */
  record(operationName: string, scope: CacheScope): OperationRecord {
    return { counts: this.#options.countsOf?.(operationName, scope) ?? createAnswerCounts(), makingMs: null };
  }

  /**
   * The answer under a key, or a Making for who has to make it: all who ask for it meanwhile wait for that one. null:
   * nothing is known of changes now, so the answer is to be made, and not kept. onOutcome: told which of them it was.
   */
  async find(
    key: string,
    operation: OperationRecord,
    onOutcome?: (outcome: Outcome) => void,
  ): Promise<Answer | Making | null> {
    const report = <Found>(outcome: Outcome, found: Found): Found => {
      onOutcome?.(outcome);
      return this.#report(outcome, operation, found);
    };
    const position = await this.#log.catchUp();
    if (position === null) return report('bypass', null);
    const kept = this.#memory.get(key);
    const now = performance.now();
    if (kept && now < kept.expiresAtMs) return report('hit', kept);
    const making = this.#making.get(key);
    if (making && kept && now < kept.staleUntilMs) return report('stale', kept);
    if (making) {
      const shared = await making.made;
      // It began before this one asked: what changed in between is not in it.
      if (shared && this.#isFresh(shared)) return report('shared', shared);
    }
    const own = new Making(position, (made) => this.#finish(key, operation, own, made));
    if (this.#making.has(key)) return report('miss', own);
    this.#making.set(key, own);
    try {
      const found = await this.#findShared(key, operation, own);
      return found ? report('l2', found) : report('miss', own);
    } catch (error) {
      own.drop();
      throw error;
    }
  }

  /** The answer under a key where find() would be a hit; null: whoever wants it has to go on to find(). */
  peek(key: string, operation: OperationRecord): Answer | null | Promise<Answer | null> {
    const position = this.#log.catchUp();
    if (typeof position === 'string') return this.#peekNow(key, operation);
    return position.then((known) => (known === null ? null : this.#peekNow(key, operation)));
  }

  #peekNow(key: string, operation: OperationRecord): Answer | null {
    const kept = this.#memory.get(key);
    return kept && performance.now() < kept.expiresAtMs ? this.#report('hit', operation, kept) : null;
  }

  close(): void {
    this.#log.close();
    this.#memory.drop('all');
  }

  /** Whether nothing has changed that an answer was made of, as far as this process knows now. */
  #isFresh({ position, tags }: Pick<Answer, 'position' | 'tags'>): boolean {
    return !this.#log.hasChangedSince(position, tags);
  }

  /** What the shared tier has ends a making: it goes to all who wait for it. */
  async #findShared(key: string, { makingMs }: OperationRecord, making: Making): Promise<Answer | null> {
    const { sharedTier } = this.#options;
    if (!sharedTier) return null;
    const found = await sharedTier.find(key, makingMs, (answer) =>
      this.#isFresh(answer) ? this.#keep(key, answer) : null,
    );
    if (found.answer === null) {
      // Who waited for a lease has learnt of changes meanwhile: what is read now has them in it.
      const position = found.lease ? await this.#log.catchUp() : null;
      making.begin(position ?? making.position, found.lease);
      return null;
    }
    if (this.#making.get(key) === making) this.#making.delete(key);
    making.end(found.answer);
    return found.answer;
  }

  #finish(key: string, operation: OperationRecord, making: Making, made: MadeAnswer | null): Answer | null {
    if (this.#making.get(key) === making) this.#making.delete(key);
    const madeAtMs = performance.now();
    if (made !== null) operation.makingMs = madeAtMs - making.beganAtMs;
    if (made === null || !this.#isFresh({ position: making.position, tags: made.tags })) {
      if (made !== null) this.#options.onRace?.();
      void making.lease?.release();
      return null;
    }
    const answer = this.#keep(key, {
      body: made.body,
      etag: etagOfBody(made.body),
      tags: made.tags,
      bytes: made.body.length,
      position: making.position,
      madeAtMs,
      expiresAtMs: madeAtMs + made.maxAgeMs * (1 - jitter * Math.random()),
    });
    this.#options.sharedTier?.keep(key, answer, madeAtMs - making.beganAtMs, making.lease);
    return answer;
  }

  #keep(key: string, found: Omit<Answer, 'staleUntilMs'>): Answer {
    // Written out, and whole milliseconds: properties added to others take 40 bytes beside the object, each number with a fraction 16.
    const answer: Answer = {
      body: found.body,
      etag: found.etag,
      tags: found.tags,
      bytes: found.bytes,
      position: found.position,
      madeAtMs: Math.floor(found.madeAtMs),
      expiresAtMs: Math.floor(found.expiresAtMs),
      staleUntilMs: Math.floor(found.expiresAtMs + (this.#options.staleMs ?? defaultStaleMs)),
    };
    this.#memory.set(key, answer);
    return answer;
  }

  #report<Found>(outcome: Outcome, { counts }: OperationRecord, found: Found): Found {
    counts[outcome] += 1;
    this.#options.onOutcome?.(outcome);
    return found;
  }
}

/** Quoted as HTTP wants it, by JSON: a template, and a slice of a longer text, keep their parts beside them: 114 bytes. */
function etagOfBody(body: Buffer): string {
  return JSON.stringify(hash('sha256', body, 'buffer').toString('base64url', 0, etagBytes));
}

export interface MadeAnswer {
  readonly body: Buffer;
  /** Of all that was read for it. */
  readonly tags: readonly string[];
  readonly maxAgeMs: number;
}

/** An answer that is being made; keep() or drop() must be called, as others wait for it. The first call counts. */
export class Making {
  #position: Position;
  #beganAtMs = performance.now();
  #lease: Lease | null = null;
  #isOver = false;
  readonly #made = Promise.withResolvers<Answer | null>();
  readonly #finish: (made: MadeAnswer | null) => Answer | null;

  constructor(position: Position, finish: (made: MadeAnswer | null) => Answer | null) {
    this.#position = position;
    this.#finish = finish;
  }

  /** What changed after it may be missing in the answer. */
  get position(): Position {
    return this.#position;
  }

  get beganAtMs(): number {
    return this.#beganAtMs;
  }

  /** The right to make it, among all processes; null: it needs none. */
  get lease(): Lease | null {
    return this.#lease;
  }

  /** null: it could not be kept. */
  get made(): Promise<Answer | null> {
    return this.#made.promise;
  }

  /** Only now is anything read for it. */
  begin(position: Position, lease: Lease | null): void {
    this.#position = position;
    this.#beganAtMs = performance.now();
    this.#lease = lease;
  }

  /** null: it could not be kept. */
  keep(made: MadeAnswer): Answer | null {
    return this.#end(this.#finish(made));
  }

  drop(): void {
    if (!this.#isOver) this.#end(this.#finish(null));
  }

  /** It was found: nobody has to make it any more. */
  end(answer: Answer): void {
    this.#end(answer);
  }

  #end(answer: Answer | null): Answer | null {
    this.#isOver = true;
    this.#made.resolve(answer);
    return answer;
  }
}
