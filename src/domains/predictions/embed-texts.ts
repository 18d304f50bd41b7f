import type { Context } from '../../context.ts';
import { overloaded } from '../../errors.ts';
import {
  type InferenceEngine,
  InferenceError,
  type LoadedVersion,
  type PredictRequest,
  type RowResult,
  versionKey,
} from '../../inference/engine.ts';
import type { PredictionFailure } from '../../inference/prediction-sink.ts';
import { tokenizeEmbedding } from './embedding.ts';
import { toPublicError } from './models.ts';
import { failureOf } from './serving.ts';
import { defaultVersion } from './version-choice.ts';

export type EmbeddingOptions = Pick<PredictRequest, 'lane' | 'deadlineMs'>;

// A batch of the model at a time: between two the event loop is free, and callers in a hurry go first.
const textsPerCall = 64;

/**
 * The version that new vectors are made by.
 * @throws OVERLOADED when no embedding model is loaded
 */
export function embeddingVersion(engine: InferenceEngine): LoadedVersion {
  const [first] = listEmbeddingVersions(engine);
  if (!first) throw overloaded('no model for EMBEDDING is loaded', 30);
  return first;
}

/** All loaded versions that vectors can be compared by: the serving one first. Empty when no embedding model is loaded. */
export function listEmbeddingVersions(engine: InferenceEngine): LoadedVersion[] {
  const loaded = engine.versions().filter(({ task }) => task === 'EMBEDDING');
  if (loaded.length === 0) return [];
  // Not by a rollout: vectors are stored, and compared for all viewers.
  const serving = defaultVersion(loaded.filter(({ name }) => name === loaded[0]!.name));
  return [serving, ...loaded.filter((version) => version !== serving)];
}

/** Names a version in stored vectors; another file under the same name and version is another one. */
export function embeddingKey(version: LoadedVersion): string {
  return `${versionKey(version)}@${version.manifest.sha256.slice(0, 12)}`;
}

/** The least cosine that any model may take for the same question. */
const minSameSimilarity = 0.85;

/**
 * The cosine at and above which two questions are the same by the measure of a version: what its manifest says, at least
 * 0.85. null: it says nothing, so by this version no two questions are known to be the same.
 */
export function sameQuestionSimilarity({ manifest }: LoadedVersion): number | null {
  const { sameQuestionSimilarity: given } = manifest.options;
  return typeof given === 'number' && given > 0 && given <= 1 ? Math.max(given, minSameSimilarity) : null;
}

/**
 * The unit vectors of texts by a version, in the order of the texts. A text that fails alone is an Error in its place.
 * @throws OVERLOADED or TIMEOUT for the call as a whole
 */
export async function embedTexts(
  { inference, predictions, signal }: Pick<Context, 'inference' | 'predictions' | 'signal'>,
  organizationId: string,
  texts: readonly string[],
  version: LoadedVersion,
  { lane = 'interactive', deadlineMs = Number.POSITIVE_INFINITY }: EmbeddingOptions = {},
): Promise<(Float32Array | Error)[]> {
  const { name: model, version: versionName, precision, manifest } = version;
  const input = manifest.inputs[0]!.name;
  const output = manifest.outputs[0]!.name;
  const startedAt = performance.now();
  const keep = (cacheHits: number, error: PredictionFailure | null) => {
    const latencyMs = performance.now() - startedAt;
    const call = { organizationId, model, version: versionName, precision, latencyMs, batchSize: texts.length };
    predictions.record({ ...call, cacheHits, error, shadowOf: null, agreedRows: null });
  };
  const results: RowResult[] = [];
  try {
    while (results.length < texts.length) {
      const rows = texts.slice(results.length, results.length + textsPerCall).map((text) => {
        const ids = tokenizeEmbedding(text);
        return { [input]: { data: ids, dims: [ids.length] } };
      });
      const leftMs = deadlineMs - (performance.now() - startedAt);
      const deadline = Number.isFinite(leftMs) ? { deadlineMs: leftMs } : {};
      results.push(...(await inference.predict({ model, version: versionName, rows, signal, lane, ...deadline })));
    }
  } catch (error) {
    const failure = failureOf(error, signal);
    if (failure !== null) keep(0, failure);
    throw toPublicError(error);
  }
  const hits = results.filter((result) => !(result instanceof InferenceError) && result.batchRows === 0).length;
  keep(hits, results.some((result) => result instanceof InferenceError) ? 'FAILED' : null);
  return results.map((result) =>
    result instanceof InferenceError
      ? (toPublicError(result) as Error)
      : (result.outputs[output]!.data as Float32Array),
  );
}
