import { InferenceError } from '../../inference/engine.ts';
import { type ModelVersionEntry, toEntry } from './models.ts';
import { readSentiment, type SentimentReading, tokenizeSentiment } from './sentiment.ts';
import { type ServingContext, serveCall, servingVersion } from './serving.ts';
import { agreeOnSentiment } from './shadow-agreement.ts';

export interface Sentiment extends SentimentReading {
  modelVersion: ModelVersionEntry;
}

/**
 * Scores texts with the viewer's version of the sentiment model, as one call of the engine; results in the order of the
 * texts. A text that fails alone is an Error in its place.
 * @throws OVERLOADED or TIMEOUT for the call as a whole
 */
export async function scoreTexts(
  context: ServingContext,
  organizationId: string,
  texts: readonly string[],
): Promise<(Sentiment | Error)[]> {
  const version = servingVersion(context, organizationId, 'SENTIMENT');
  const tokens = texts.map(tokenizeSentiment);
  const readings = await serveCall<SentimentReading>(context, {
    organizationId,
    version,
    batchSize: texts.length,
    run: async ({ manifest: { inputs, outputs } }, predict) => {
      const results = await predict(tokens.map((ids) => ({ [inputs[0]!.name]: { data: ids, dims: [ids.length] } })));
      return results.map((result) =>
        result instanceof InferenceError
          ? result
          : readSentiment(result.outputs[outputs[0]!.name]!.data as Float32Array),
      );
    },
    agree: agreeOnSentiment,
  });
  const modelVersion = toEntry(version);
  return readings.map((reading) => (reading instanceof Error ? reading : { ...reading, modelVersion }));
}
