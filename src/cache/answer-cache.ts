/** Answers kept for those who ask the same again: never from before a change that was acknowledged when they asked. */
import { hash } from 'node:crypto';
import { AnswerMemory, type KeptAnswer, type Removal } from './answer-memory.ts';
import type { Change, InvalidationLog, Position } from './invalidation-log.ts';

export interface Answer extends KeptAnswer {
  readonly body: Buffer;
  /** Of the body, quoted as HTTP wants it. */
  readonly etag: string;
  /** Up to where it is known to be fresh. */
  readonly position: Position;
  /** performance.now() when it was made, and until when it may be answered; later, while it is made anew, a little longer. */
  readonly madeAtMs: number;
  readonly expiresAtMs: number;
  readonly staleUntilMs: number;
}

/** How a request was answered: kept; kept but expired, while another makes it anew; made by another at the same time; made; not looked up. */
export type Outcome = 'hit' | 'stale' | 'shared' | 'miss' | 'bypass';

export interface AnswerCacheOptions {
  /** Opens the log of changes; it tells the cache of each. */
  readonly openLog: (onChange: (change: Change) => void) => InvalidationLog;
  readonly maxBytes: number;
  /** How long an expired answer may still be given while it is made anew. Default: 10,000. */
  readonly staleMs?: number;
  readonly onOutcome?: (outcome: Outcome) => void;
  readonly onRemoval?: (removal: Removal) => void;
}

const defaultStaleMs = 10_000;
/** Answers that were made together do not expire together: up to this share of their time less. */
const jitter = 0.1;

export class AnswerCache {
  readonly #options: AnswerCacheOptions;
  readonly #memory: AnswerMemory<Answer>;
  readonly #log: InvalidationLog;
  readonly #making = new Map<string, Making>();

  constructor(options: AnswerCacheOptions) {
    const { maxBytes, onRemoval, openLog } = options;
    this.#options = options;
    this.#memory = new AnswerMemory({ maxBytes, ...(onRemoval && { onRemoval }) });
    this.#log = openLog((change) => this.#memory.drop(change));
  }

  get count(): number {
    return this.#memory.count;
  }

  get bytes(): number {
    return this.#memory.bytes;
  }

  /** For the pool: resolves when nobody is answered from before the change any more. */
  readonly onWrite = (tags: readonly string[]): Promise<void> => this.#log.append(tags);

  /**
   * The answer under a key, or a Making for who has to make it: all who ask for it meanwhile wait for that one. null:
   * nothing is known of changes now, so the answer is to be made, and not kept.
   */
  async find(key: string): Promise<Answer | Making | null> {
    const position = await this.#log.catchUp();
    if (position === null) return this.#report('bypass', null);
    const kept = this.#memory.get(key);
    const now = performance.now();
    if (kept && now < kept.expiresAtMs) return this.#report('hit', kept);
    const making = this.#making.get(key);
    if (making && kept && now < kept.staleUntilMs) return this.#report('stale', kept);
    if (making) {
      const shared = await making.made;
      // It began before this one asked: what changed in between is not in it.
      if (shared && !this.#log.hasChangedSince(shared.position, shared.tags)) return this.#report('shared', shared);
    }
    const own = new Making(position, (answer) => this.#finish(key, own, answer));
    if (!this.#making.has(key)) this.#making.set(key, own);
    return this.#report('miss', own);
  }

  /** The answer under a key where find() would be a hit; null: whoever wants it has to go on to find(). */
  peek(key: string): Answer | null | Promise<Answer | null> {
    const position = this.#log.catchUp();
    if (typeof position === 'string') return this.#peekNow(key);
    return position.then((known) => (known === null ? null : this.#peekNow(key)));
  }

  #peekNow(key: string): Answer | null {
    const kept = this.#memory.get(key);
    return kept && performance.now() < kept.expiresAtMs ? this.#report('hit', kept) : null;
  }

  close(): void {
    this.#log.close();
    this.#memory.drop('all');
  }

  #finish(key: string, making: Making, made: MadeAnswer | null): Answer | null {
    if (this.#making.get(key) === making) this.#making.delete(key);
    if (made === null || this.#log.hasChangedSince(making.position, made.tags)) return null;
    const madeAtMs = performance.now();
    const expiresAtMs = madeAtMs + made.maxAgeMs * (1 - jitter * Math.random());
    const answer: Answer = {
      body: made.body,
      etag: `"${hash('sha256', made.body, 'base64url').slice(0, 24)}"`,
      tags: made.tags,
      bytes: made.body.length,
      position: making.position,
      madeAtMs,
      expiresAtMs,
      staleUntilMs: expiresAtMs + (this.#options.staleMs ?? defaultStaleMs),
    };
    this.#memory.set(key, answer);
    return answer;
  }

  #report<Found>(outcome: Outcome, found: Found): Found {
    this.#options.onOutcome?.(outcome);
    return found;
  }
}

export interface MadeAnswer {
  readonly body: Buffer;
  /** Of all that was read for it. */
  readonly tags: readonly string[];
  readonly maxAgeMs: number;
}

/** An answer that is being made; keep() or drop() must be called, as others wait for it. */
export class Making {
  readonly position: Position;
  readonly #made = Promise.withResolvers<Answer | null>();
  readonly #finish: (made: MadeAnswer | null) => Answer | null;

  constructor(position: Position, finish: (made: MadeAnswer | null) => Answer | null) {
    this.position = position;
    this.#finish = finish;
  }

  /** null: it could not be kept. */
  get made(): Promise<Answer | null> {
    return this.#made.promise;
  }

  /** null: it could not be kept. */
  keep(made: MadeAnswer): Answer | null {
    const answer = this.#finish(made);
    this.#made.resolve(answer);
    return answer;
  }

  drop(): void {
    this.#made.resolve(this.#finish(null));
  }
}
