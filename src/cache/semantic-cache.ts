/** Answers of earlier questions, for who asks nearly the same: never from before a change that was acknowledged meanwhile. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { InvalidationLog, Position } from './invalidation-log.ts';
import { ReadTags } from './read-tags.ts';

export interface Question {
  /** Whose it is: nobody else is given its answer. */
  readonly organizationId: string;
  /** All that the answer depends on beside what the vector says of the text; questions of other kinds are not compared. */
  readonly kind: string;
  readonly text: string;
  /** The least cosine at which two questions are the same: the model's own threshold. */
  readonly minSimilarity: number;
  /** The unit vector of the text, as long as those of all questions of the kind; null: it cannot be had now. */
  embed(): Promise<Float32Array | null>;
}

/** An answer made anew. */
export interface NewAnswer<Answer> {
  readonly answer: Answer;
  /** Of the question; null: the answer is good for this once only. */
  readonly vector: Float32Array | null;
}

/** How an answer was come by, when it is one that was kept. */
export interface EarlierAnswer {
  /** Cosine of the two questions. */
  readonly similarity: number;
  readonly ageMs: number;
}

export interface GivenAnswer<Answer> {
  readonly answer: Answer;
  /** null: made for this question. */
  readonly earlier: EarlierAnswer | null;
}

/** How a question was answered: as an earlier one; as the same one that was being answered; anew; anew since nothing is known of changes. */
export type SemanticOutcome = 'hit' | 'shared' | 'miss' | 'bypass';
const outcomes: readonly SemanticOutcome[] = ['hit', 'shared', 'miss', 'bypass'];

export interface SemanticCacheOptions {
  /** Of what changed, on any process. */
  readonly log: InvalidationLog;
  readonly registry: Registry;
  /** Of all organizations together. Default: 1,000. */
  readonly maxEntries?: number;
  /** Default: 3,600,000. */
  readonly ttlMs?: number;
}

interface Entry<Answer> {
  readonly kind: string;
  readonly vector: Float32Array;
  readonly answer: Answer;
  /** Of all that was read for the answer. */
  readonly tags: readonly string[];
  /** Up to where the answer is known to be fresh. */
  readonly position: Position;
  readonly madeAtMs: number;
}

/** An answer with what tells whether it is still fresh; tags null: that is not known. */
interface Found<Answer> extends GivenAnswer<Answer> {
  readonly position: Position;
  readonly tags: readonly string[] | null;
}

const defaultMaxEntries = 1_000;
const defaultTtlMs = 3_600_000;

/**
 * The tier of a process for questions that are asked in other words. The organization that has most entries gives up the
 * one that it has not used for longest when there are too many, so that no organization takes the room of another.
 */
export class SemanticCache<Answer> {
  readonly #log: InvalidationLog;
  readonly #maxEntries: number;
  readonly #ttlMs: number;
  readonly #outcomes: Counter<'outcome'>;
  /** By organization, the one used last at the end. */
  readonly #entries = new Map<string, Set<Entry<Answer>>>();
  readonly #underway = new Map<string, Promise<Found<Answer>>>();
  #count = 0;

  constructor({ log, registry, maxEntries = defaultMaxEntries, ttlMs = defaultTtlMs }: SemanticCacheOptions) {
    this.#log = log;
    this.#maxEntries = maxEntries;
    this.#ttlMs = ttlMs;
    this.#outcomes = this.#createMetrics(registry);
  }

  /** Entries that are kept, some of them perhaps too old to be given. */
  get count(): number {
    return this.#count;
  }

  /**
   * The answer of the nearest earlier question, if it is near enough and nothing changed that it was made of; else that of
   * `search`, which tells all that it reads. Who asks the same at the same time gets the same answer.
   * @throws what `search` throws
   */
  async answer(
    question: Question,
    search: (note: ReadTags['note']) => Promise<NewAnswer<Answer>>,
  ): Promise<GivenAnswer<Answer>> {
    const position = await this.#log.catchUp();
    if (position === null) {
      this.#outcomes.inc({ outcome: 'bypass' });
      return { answer: (await search(() => {})).answer, earlier: null };
    }
    const key = `${question.organizationId}\n${question.kind}\n${question.text}`;
    const underway = this.#underway.get(key);
    // What fails for another fails for reasons of its own, such as its deadline.
    const shared = underway ? await underway.catch(() => null) : null;
    // It may have begun before this one asked: what changed in between is not in it.
    if (shared && this.#isFresh(shared)) {
      this.#outcomes.inc({ outcome: 'shared' });
      return shared;
    }
    const own = this.#find(question, position, search);
    if (!this.#underway.has(key)) {
      this.#underway.set(key, own);
      const forget = () => this.#underway.delete(key);
      own.then(forget, forget);
    }
    return own;
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
    this.#count = 0;
  }

  async #find(
    question: Question,
    position: Position,
    search: (note: ReadTags['note']) => Promise<NewAnswer<Answer>>,
  ): Promise<Found<Answer>> {
    const kept = await this.#findNearest(question);
    this.#outcomes.inc({ outcome: kept ? 'hit' : 'miss' });
    if (kept) return kept;
    const reads = new ReadTags();
    reads.start();
    const { answer, vector } = await search(reads.note);
    const found = { answer, earlier: null, position, tags: reads.tags };
    if (vector !== null && this.#isFresh(found)) this.#keep(question, vector, found);
    return found;
  }

  async #findNearest(question: Question): Promise<Found<Answer> | null> {
    const { organizationId, kind } = question;
    const isKept =
      this.#entries
        .get(organizationId)
        ?.values()
        .some((entry) => entry.kind === kind) ?? false;
    const vector = isKept ? await question.embed() : null;
    const entries = this.#entries.get(organizationId);
    if (vector === null || entries === undefined) return null;
    let nearest: Entry<Answer> | null = null;
    let similarity = question.minSimilarity;
    const now = performance.now();
    // 1,000 vectors of 128 numbers take 0.2 ms.
    for (const entry of entries) {
      if (entry.kind !== kind) continue;
      const cosine = dotProduct(entry.vector, vector);
      if (cosine < similarity) continue;
      if (now - entry.madeAtMs >= this.#ttlMs || !this.#isFresh(entry)) {
        this.#remove(organizationId, entry);
        continue;
      }
      nearest = entry;
      similarity = cosine;
    }
    if (nearest === null) return null;
    entries.delete(nearest);
    entries.add(nearest);
    const { answer, position, tags, madeAtMs } = nearest;
    return { answer, position, tags, earlier: { similarity, ageMs: now - madeAtMs } };
  }

  #keep({ organizationId, kind }: Question, vector: Float32Array, { answer, position, tags }: Found<Answer>): void {
    const entries = this.#entries.get(organizationId) ?? new Set();
    this.#entries.set(organizationId, entries);
    // A copy: the vector may be a part of what a whole batch gave.
    entries.add({ kind, vector: vector.slice(), answer, position, tags: tags!, madeAtMs: performance.now() });
    this.#count += 1;
    while (this.#count > this.#maxEntries) this.#evict();
  }

  #evict(): void {
    let most: string | null = null;
    for (const [organizationId, { size }] of this.#entries) {
      if (most === null || size > this.#entries.get(most)!.size) most = organizationId;
    }
    const [oldest] = this.#entries.get(most!)!;
    this.#remove(most!, oldest!);
  }

  #remove(organizationId: string, entry: Entry<Answer>): void {
    const entries = this.#entries.get(organizationId)!;
    if (entries.delete(entry)) this.#count -= 1;
    if (entries.size === 0) this.#entries.delete(organizationId);
  }

  #isFresh({ position, tags }: { position: Position; tags: readonly string[] | null }): boolean {
    return tags !== null && !this.#log.hasChangedSince(position, tags);
  }

  #createMetrics(registry: Registry): Counter<'outcome'> {
    const registers = [registry];
    const cache = this;
    new Gauge({
      name: 'tributary_semantic_cache_count',
      help: 'Earlier questions that are kept with their answers.',
      registers,
      collect() {
        this.set(cache.count);
      },
    });
    const counter = new Counter({
      name: 'tributary_semantic_cache_questions_total',
      help: 'Questions that may be answered as earlier ones, by how they were: hit, shared, miss, bypass.',
      labelNames: ['outcome'],
      registers,
    });
    for (const outcome of outcomes) counter.inc({ outcome }, 0);
    return counter;
  }
}

/** Of two vectors as long as each other. */
function dotProduct(first: Float32Array, second: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < first.length; k++) sum += first[k]! * second[k]!;
  return sum;
}
