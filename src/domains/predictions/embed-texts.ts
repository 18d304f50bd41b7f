import type { Context } from '../../context.ts';
import {
  type InferenceEngine,
  InferenceError,
  type LoadedVersion,
  type PredictRequest,
  versionKey,
} from '../../inference/engine.ts';
import { tokenizeEmbedding } from './embedding.ts';
import { servingVersion, toPublicError } from './models.ts';

export type EmbeddingOptions = Pick<PredictRequest, 'lane' | 'deadlineMs'>;

// A batch of the model at a time: between two the event loop is free, and callers in a hurry go first.
const textsPerCall = 64;

/**
 * The version that new vectors are made by.
 * @throws OVERLOADED when no embedding model is loaded
 */
export function embeddingVersion(engine: InferenceEngine): LoadedVersion {
  return servingVersion(engine, 'EMBEDDING');
}

/** All loaded versions that vectors can be compared by: the serving one first. Empty when no embedding model is loaded. */
export function listEmbeddingVersions(engine: InferenceEngine): LoadedVersion[] {
  const loaded = engine.versions().filter(({ task }) => task === 'EMBEDDING');
  if (loaded.length === 0) return [];
  const serving = embeddingVersion(engine);
  return [serving, ...loaded.filter((version) => version !== serving)];
}

/** Names a version in stored vectors; another file under the same name and version is another one. */
export function embeddingKey(version: LoadedVersion): string {
  return `${versionKey(version)}@${version.manifest.sha256.slice(0, 12)}`;
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
  const vectors: (Float32Array | Error)[] = [];
  while (vectors.length < texts.length) {
    const rows = texts.slice(vectors.length, vectors.length + textsPerCall).map((text) => {
      const ids = tokenizeEmbedding(text);
      return { [input]: { data: ids, dims: [ids.length] } };
    });
    const leftMs = deadlineMs - (performance.now() - startedAt);
    const deadline = Number.isFinite(leftMs) ? { deadlineMs: leftMs } : {};
    const request = { model, version: versionName, rows, signal, lane, ...deadline };
    const results = await inference.predict(request).catch((error: unknown) => {
      throw toPublicError(error);
    });
    for (const result of results) {
      const isFailed = result instanceof InferenceError;
      vectors.push(isFailed ? (toPublicError(result) as Error) : (result.outputs[output]!.data as Float32Array));
    }
  }
  const latencyMs = performance.now() - startedAt;
  predictions.record({ organizationId, model, version: versionName, precision, latencyMs, batchSize: texts.length });
  return vectors;
}
