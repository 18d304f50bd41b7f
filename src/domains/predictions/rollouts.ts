/** The rollouts of all organizations as this process knows them, and their automatic return. */
import type { Database } from '../../db/database.ts';
import type { InferenceEngine } from '../../inference/engine.ts';
import type { PredictionRecord } from '../../inference/prediction-sink.ts';
import { CallWindow, findErrorFault, findLatencyFault } from './rollout-guard.ts';
import { listChangedRollouts, returnModelRollout } from './rollout-queries.ts';
import { ShadowTraffic } from './shadow-traffic.ts';
import type { ModelRollout } from './tables.ts';
import { weightOf } from './version-choice.ts';

export interface RolloutsOptions {
  /** Outside any request: it reads the rollouts of all organizations. */
  database: Database;
  inference: Pick<InferenceEngine, 'versions'>;
  /** Between two looks at the database. Default: 500, so that a change is everywhere within a second. */
  pollMs?: number;
  /** Told of every call of a version. */
  onCall?(call: PredictionRecord): void;
  /** Told when a rollout returned to its baseline by this process. */
  onReturn?(rollout: ModelRollout): void;
  /** Told when the database cannot be read or written; once until it can again. */
  onError?(error: unknown): void;
}

const retryMs = 1_000;
/** Medians are looked at after so many calls: they take ten times as long as all the rest of it (60 µs). */
const callsPerMedian = 10;

interface Entry {
  readonly rollout: ModelRollout;
  /** Of each version since the rollout is as it is. */
  readonly windows: Map<string, CallWindow>;
  calls: number;
  isReturning: boolean;
  /** performance.now() before which no return is tried again. */
  retryAtMs: number;
}

export class Rollouts {
  /** The calls that run beside answers of this process. */
  readonly shadows = new ShadowTraffic();
  readonly #options: RolloutsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #returning = new Set<Promise<void>>();
  /** The latest change that was seen, by the clock of the database. */
  #since = '-infinity';
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> = Promise.resolve();
  #isClosed = false;
  #isFailing = false;

  constructor(options: RolloutsOptions) {
    this.#options = options;
  }

  /** Reads all rollouts, then looks for changes until close(). */
  async start(): Promise<void> {
    await this.refresh();
    this.#schedule();
  }

  /** Stops looking, and ends the shadows; resolves when nothing of it runs any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#polling, ...this.#returning, this.shadows.close()]);
  }

  /** The rollout of an organization; null: the default version answers all. */
  find(organizationId: string, model: string): ModelRollout | null {
    return this.#entries.get(keyOf({ organizationId, model }))?.rollout ?? null;
  }

  /** Takes a rollout as it is in the database; an earlier state than the one known changes nothing. */
  apply(rollout: ModelRollout): void {
    const key = keyOf(rollout);
    const known = this.#entries.get(key);
    // All times are Postgres' text in UTC: their order is that of the texts.
    if (known && known.rollout.updatedAt >= rollout.updatedAt) return;
    this.#entries.set(key, { rollout, windows: new Map(), calls: 0, isReturning: false, retryAtMs: 0 });
  }

  /** Reads what has changed since the last time. */
  async refresh(): Promise<void> {
    for (const rollout of await listChangedRollouts(this.#options.database, this.#since)) {
      this.apply(rollout);
      if (this.#since === '-infinity' || rollout.updatedAt > this.#since) this.#since = rollout.updatedAt;
    }
  }

  /** Takes note of a call that has ended; what is wrong with its version may return the rollout to its baseline. */
  observe(call: PredictionRecord): void {
    this.#options.onCall?.(call);
    const entry = this.#entries.get(keyOf(call));
    if (!entry || call.shadowOf !== null || versionsOnTrial(entry.rollout).length === 0) return;
    const nowMs = performance.now();
    const isTimed = call.error === null && call.cacheHits < call.batchSize;
    const outcome = { atMs: nowMs, isFailed: call.error !== null, latencyMs: isTimed ? call.latencyMs : null };
    const window = entry.windows.get(call.version) ?? new CallWindow();
    entry.windows.set(call.version, window);
    window.add(outcome);
    entry.calls += 1;
    if (entry.isReturning || nowMs < entry.retryAtMs) return;
    const reason = this.#findFault(entry, nowMs);
    if (reason === null) return;
    const work = this.#return(entry, reason);
    this.#returning.add(work);
    void work.then(() => this.#returning.delete(work));
  }

  #findFault({ rollout, windows, calls }: Entry, nowMs: number): string | null {
    const callsOf = (version: string) => ({ version, calls: windows.get(version)?.at(nowMs) ?? [] });
    const baseline = callsOf(rollout.baselineVersion);
    for (const version of versionsOnTrial(rollout)) {
      const own = callsOf(version);
      const reason =
        findErrorFault(own, baseline, rollout) ??
        (calls % callsPerMedian === 0 ? findLatencyFault(own, baseline, rollout) : null);
      if (reason !== null) return this.#isLoaded(rollout.model, rollout.baselineVersion) ? reason : null;
    }
    return null;
  }

  #isLoaded(model: string, version: string): boolean {
    return this.#options.inference.versions().some((loaded) => loaded.name === model && loaded.version === version);
  }

  async #return(entry: Entry, reason: string): Promise<void> {
    entry.isReturning = true;
    try {
      const returned = await returnModelRollout(this.#options.database, entry.rollout, reason);
      // Otherwise someone was faster, which the next look will show.
      if (!returned) return;
      this.apply(returned);
      this.#options.onReturn?.(returned);
    } catch (error) {
      entry.isReturning = false;
      entry.retryAtMs = performance.now() + retryMs;
      this.#fail(error);
    }
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#polling = this.#poll().then(() => this.#schedule());
    }, this.#options.pollMs ?? 500).unref();
  }

  /** What is known stays so while the database cannot be read. */
  async #poll(): Promise<void> {
    try {
      await this.refresh();
      this.#isFailing = false;
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!this.#isFailing) this.#options.onError?.(error);
    this.#isFailing = true;
  }
}

/** The versions that answer some viewers and are not the one to return to. */
function versionsOnTrial({ weights, baselineVersion }: ModelRollout): string[] {
  return Object.keys(weights).filter((version) => version !== baselineVersion && weightOf(weights, version) > 0);
}

function keyOf({ organizationId, model }: { organizationId: string; model: string }): string {
  return `${organizationId}/${model}`;
}
