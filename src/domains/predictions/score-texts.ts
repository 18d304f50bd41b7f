import type { Context } from '../../context.ts';
import { InferenceError, type RowResult } from '../../inference/engine.ts';
import { type ModelVersionEntry, servingVersion, toEntry, toPublicError } from './models.ts';
import { readSentiment, type SentimentReading, tokenizeSentiment } from './sentiment.ts';

export interface Sentiment extends SentimentReading {
  modelVersion: ModelVersionEntry;
}

/**
 * Scores texts with the serving sentiment model, as one call of the engine; results in the order of the texts.
 * A text that fails alone is an Error in its place.
 * @throws OVERLOADED or TIMEOUT for the call as a whole
 */
export async function scoreTexts(
  { inference, predictions, signal }: Pick<Context, 'inference' | 'predictions' | 'signal'>,
  organizationId: string,
  texts: readonly string[],
): Promise<(Sentiment | Error)[]> {
  const version = servingVersion(inference, 'SENTIMENT');
  const input = version.manifest.inputs[0]!.name;
  const rows = texts.map((text) => {
    const ids = tokenizeSentiment(text);
    return { [input]: { data: ids, dims: [ids.length] } };
  });
  const startedAt = performance.now();
  const { name: model, version: versionName, precision } = version;
  const results = await inference.predict({ model, version: versionName, rows, signal }).catch((error: unknown) => {
    throw toPublicError(error);
  });
  const latencyMs = performance.now() - startedAt;
  predictions.record({ organizationId, model, version: versionName, precision, latencyMs, batchSize: texts.length });
  const modelVersion = toEntry(version, true);
  return results.map((result) => toSentiment(result, version.manifest.outputs[0]!.name, modelVersion));
}

function toSentiment(result: RowResult, output: string, modelVersion: ModelVersionEntry): Sentiment | Error {
  if (result instanceof InferenceError) return toPublicError(result) as Error;
  return { ...readSentiment(result.outputs[output]!.data as Float32Array), modelVersion };
}
