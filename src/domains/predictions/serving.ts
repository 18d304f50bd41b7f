/** The one way to a model from a request: which version answers, and what is kept of the call. */
import { createContextCache } from '@pothos/core';
import type { Context } from '../../context.ts';
import { overloaded, timeout } from '../../errors.ts';
import { InferenceError, type LoadedVersion, type Row, type RowResult } from '../../inference/engine.ts';
import type { ModelTask } from '../../inference/manifest.ts';
import type { ForecastRecord, PredictionFailure, PredictionRecord } from '../../inference/prediction-sink.ts';
import { toPublicError } from './models.ts';
import { countAgreed } from './shadow-agreement.ts';
import { chooseVersion, defaultVersion, effectiveWeights, type VersionWeight } from './version-choice.ts';

/** What a call needs of its request. Without rollouts, as in a seed, the default version of a model answers. */
export type ServingContext = Pick<Context, 'inference' | 'predictions' | 'signal'> &
  Partial<Pick<Context, 'rollouts' | 'viewer' | 'remainingMs'>>;

/** A shadow that waits longer is not worth its place. */
const shadowDeadlineMs = 30_000;

// What has begun with one version ends with it, whatever changes in the meantime.
const chosenVersions = createContextCache((_context: object) => new Map<string, LoadedVersion>());

/**
 * The version of a task's model that answers this request.
 * @throws OVERLOADED when no model of the task is loaded
 */
export function servingVersion(context: ServingContext, organizationId: string, task: ModelTask): LoadedVersion {
  const first = context.inference.versions().find((version) => version.task === task);
  if (!first) throw overloaded(`no model for ${task} is loaded`, 30);
  return servingVersionOf(context, organizationId, first.name);
}

/** The version of a model that answers this request; the model must have a loaded version. */
export function servingVersionOf(context: ServingContext, organizationId: string, model: string): LoadedVersion {
  const chosen = chosenVersions(context);
  const known = chosen.get(model);
  if (known) return known;
  const versions = context.inference.versions().filter(({ name }) => name === model);
  const rollout = context.rollouts?.find(organizationId, model) ?? null;
  const viewerId = context.viewer?.userId ?? organizationId;
  const name = rollout && chooseVersion(effectiveWeights(versions, rollout), `${viewerId}/${model}`);
  const version = versions.find(({ version }) => version === name) ?? defaultVersion(versions);
  chosen.set(model, version);
  return version;
}

/** Lets the rest of the request choose anew, after it has changed the weights itself. */
export function forgetServingVersion(context: ServingContext, model: string): void {
  chosenVersions(context).delete(model);
}

/** The share of the organization's viewers that each loaded version of a model answers, in their order. */
export function rolloutWeights(
  { inference, rollouts }: Pick<Context, 'inference' | 'rollouts'>,
  organizationId: string,
  model: string,
): VersionWeight[] {
  const versions = inference.versions().filter(({ name }) => name === model);
  return versions.length === 0 ? [] : effectiveWeights(versions, rollouts.find(organizationId, model));
}

/** Runs rows on the version of a call; rejects like the engine. */
export type Predict = (rows: readonly Row[]) => Promise<readonly RowResult[]>;

/** A call of a model, as every version can do it. */
export interface ModelCall<Answer> {
  organizationId: string;
  version: LoadedVersion;
  batchSize: number;
  /**
   * What a version says, row by row. `predict` may be called several times, each time with a row for each of the call.
   * It rejects with what the engine does.
   */
  run(version: LoadedVersion, predict: Predict): Promise<readonly (Answer | Error)[]>;
  /** Whether a shadow's row is as good as the same. */
  agree(served: Answer, shadow: Answer): boolean;
  /** What a forecast says, to be kept. */
  toPoints?(answers: readonly (Answer | Error)[]): ForecastRecord[];
}

/**
 * Runs a call on its version, keeps how it went, and has its shadow run behind it. A row that failed alone is an Error in
 * its place.
 * @throws OVERLOADED or TIMEOUT for the call as a whole
 */
export async function serveCall<Answer>(
  context: ServingContext,
  call: ModelCall<Answer>,
): Promise<readonly (Answer | Error)[]> {
  const remainingMs = context.remainingMs?.() ?? Number.POSITIVE_INFINITY;
  // Not the version's fault: it is not even asked.
  if (remainingMs <= 0) throw timeout('The request has no time left for a prediction.');
  const limits = { signal: context.signal, ...(Number.isFinite(remainingMs) && { deadlineMs: remainingMs }) };
  const attempt = new Attempt(context, call, call.version, limits);
  try {
    const answers = await attempt.run();
    keep(context, attempt.toRecord(answers, null));
    startShadow(context, call, answers);
    return answers.map((answer) => (answer instanceof Error ? (toPublicError(answer) as Error) : answer));
  } catch (error) {
    const failure = failureOf(error, context.signal);
    if (failure !== null) keep(context, attempt.toRecord(null, failure));
    throw toPublicError(error);
  }
}

function keep({ predictions, rollouts }: ServingContext, record: PredictionRecord): void {
  predictions.record(record);
  rollouts?.observe(record);
}

/** Nothing of it is awaited by the request, and none of its errors is the request's. */
function startShadow<Answer>(
  context: ServingContext,
  call: ModelCall<Answer>,
  served: readonly (Answer | Error)[],
): void {
  const { rollouts, inference } = context;
  const { name, version } = call.version;
  const rollout = rollouts?.find(call.organizationId, name);
  if (!rollouts || !rollout?.shadowVersion || rollout.shadowVersion === version) return;
  const shadow = inference
    .versions()
    .find((loaded) => loaded.name === name && loaded.version === rollout.shadowVersion);
  if (!shadow || !rollouts.shadows.isSampled(rollout.shadowShare)) return;
  rollouts.shadows.start(call.batchSize, async () => {
    const limits = { lane: 'bulk', deadlineMs: shadowDeadlineMs, signal: rollouts.shadows.signal } as const;
    const attempt = new Attempt(context, call, shadow, limits);
    try {
      const answers = await attempt.run();
      const agreedRows = countAgreed(served, answers, call.agree);
      keep(context, { ...attempt.toRecord(answers, null), shadowOf: version, agreedRows });
    } catch (error) {
      // What was not run for want of time says nothing of a version in the bulk lane.
      if (failureOf(error, null) !== 'FAILED') throw error;
      keep(context, { ...attempt.toRecord(null, 'FAILED'), shadowOf: version });
    }
  });
}

/** One version at work on a call. */
class Attempt<Answer> {
  readonly #context: Pick<ServingContext, 'inference'>;
  readonly #call: ModelCall<Answer>;
  readonly #version: LoadedVersion;
  readonly #limits: object;
  readonly #startedAt = performance.now();
  /** By row: all of it came from the cache so far. */
  readonly #isCached: boolean[];
  #hasRun = false;
  #hasFailedRow = false;

  constructor(
    context: Pick<ServingContext, 'inference'>,
    call: ModelCall<Answer>,
    version: LoadedVersion,
    limits: { signal?: AbortSignal; deadlineMs?: number; lane?: 'bulk' },
  ) {
    this.#context = context;
    this.#call = call;
    this.#version = version;
    this.#limits = limits;
    this.#isCached = Array.from({ length: call.batchSize }, () => true);
  }

  run(): Promise<readonly (Answer | Error)[]> {
    return this.#call.run(this.#version, async (rows) => {
      const { name: model, version } = this.#version;
      const results = await this.#context.inference.predict({ model, version, rows, ...this.#limits });
      this.#hasRun = true;
      for (const [index, result] of results.entries()) {
        if (result instanceof InferenceError) this.#hasFailedRow = true;
        if (result instanceof InferenceError || result.batchRows > 0) this.#isCached[index] = false;
      }
      return results;
    });
  }

  /** A call of which a row failed has failed, whatever else it answered. */
  toRecord(answers: readonly (Answer | Error)[] | null, failure: PredictionFailure | null): PredictionRecord {
    const { organizationId, batchSize, toPoints } = this.#call;
    const { name: model, version, precision } = this.#version;
    return {
      organizationId,
      model,
      version,
      precision,
      latencyMs: performance.now() - this.#startedAt,
      batchSize,
      cacheHits: this.#hasRun ? this.#isCached.filter((isCached) => isCached).length : 0,
      error: failure ?? (this.#hasFailedRow ? 'FAILED' : null),
      shadowOf: null,
      agreedRows: null,
      points: answers === null ? [] : (toPoints?.(answers) ?? []),
    };
  }
}

/**
 * What an error says of the version: null for what is not its doing (a client's mistake, a client that has gone, an
 * engine that took nothing more, a version that was retired meanwhile). An output that cannot be read is its doing.
 */
export function failureOf(error: unknown, signal: AbortSignal | null): PredictionFailure | null {
  if (!(error instanceof InferenceError)) return 'FAILED';
  if (error.kind === 'failed') return 'FAILED';
  const isOutOfTime = error.kind === 'aborted' && signal?.reason?.extensions?.code === 'TIMEOUT';
  return error.kind === 'timeout' || isOutOfTime ? 'TIMEOUT' : null;
}
