/**
 * What a process does that cannot tell the others of its changes: it writes a pause into the database, which it has just
 * reached, and every process looks there often enough to have seen it before the change is acknowledged.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '../db/database.ts';
import { newId } from '../db/id.ts';
import { endAnswerPause, hasAnswerPause, holdAnswerPause } from './queries.ts';

/** A pause ends by itself, as who holds it may be killed: who saw it has forgotten all that was kept. */
const pauseMs = 10_000;
const renewMs = 5_000;
/** What is known is looked at anew while it is used, and no answer is given by what is older than the second. */
const refreshMs = 200;
const maxAgeMs = 600;
/** Longer than that: then everybody has seen a pause. */
const noticeMs = 750;
const defaultCheckTimeoutMs = 500;

export class AnswerPause {
  readonly #processId = newId();
  readonly #database: Database;
  readonly #checkTimeoutMs: number;
  /** Until when others see the pause of this process, by performance.now(). */
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  #holding: Promise<void> | null = null;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #checking: Promise<boolean> | null = null;
  #isPaused = false;
  #isDatabaseSlow = false;

  /** @param options.checkTimeoutMs - after which the database counts as one that does not answer; 500 by default */
  constructor(database: Database, { checkTimeoutMs = defaultCheckTimeoutMs }: { checkTimeoutMs?: number } = {}) {
    this.#database = database;
    this.#checkTimeoutMs = checkTimeoutMs;
  }

  /**
   * Resolves when no process answers what it kept before this call.
   * @throws what the database threw: then nobody knows
   */
  hold(): Promise<void> {
    if (performance.now() < this.#heldUntilMs - renewMs) return Promise.resolve();
    this.#holding ??= this.#hold().finally(() => {
      this.#holding = null;
    });
    return this.#holding;
  }

  /** Others may keep answers again; nothing happens where no pause is held. */
  async release(): Promise<void> {
    if (this.#heldUntilMs === Number.NEGATIVE_INFINITY) return;
    this.#heldUntilMs = Number.NEGATIVE_INFINITY;
    await endAnswerPause(this.#database, this.#processId);
  }

  /**
   * Whether another process holds a pause that began 600 ms ago or earlier; at once as long as that is known. A database
   * that does not answer says nothing: reads that are kept are what is left then, and who cannot reach it writes nothing.
   */
  isPaused(): boolean | Promise<boolean> {
    const ageMs = performance.now() - this.#checkedAtMs;
    if (ageMs < refreshMs) return this.#isPaused;
    this.#checking ??= this.#check();
    return ageMs < maxAgeMs || this.#isDatabaseSlow ? this.#isPaused : this.#checking;
  }

  async #hold(): Promise<void> {
    const startedAtMs = performance.now();
    const isRenewed = startedAtMs < this.#heldUntilMs;
    await holdAnswerPause(this.#database, this.#processId, pauseMs);
    // It was there all the time, or everybody has to see it first.
    if (!isRenewed || performance.now() > this.#heldUntilMs) await wait(noticeMs, undefined, { ref: false });
    this.#heldUntilMs = startedAtMs + pauseMs;
  }

  async #check(): Promise<boolean> {
    const startedAtMs = performance.now();
    const answer = hasAnswerPause(this.#database, this.#processId).catch(() => null);
    const isPaused = await Promise.race([answer, wait(this.#checkTimeoutMs, null, { ref: false })]);
    this.#isDatabaseSlow = isPaused === null;
    this.#isPaused = isPaused ?? this.#isPaused;
    this.#checkedAtMs = startedAtMs;
    this.#checking = null;
    return this.#isPaused;
  }
}
