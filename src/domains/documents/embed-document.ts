import type { Context } from '../../context.ts';
import type { LoadedVersion } from '../../inference/engine.ts';
import { type EmbeddingOptions, embeddingKey, embedTexts } from '../predictions/embed-texts.ts';
import { cutPassages, inCharacters, passageText } from './passages.ts';
import type { EmbeddedPassages } from './queries/passage.ts';

/**
 * The passages of a document with their vectors by a version. All or none: a document of which a part is missing would
 * look as if that part said nothing.
 * @throws OVERLOADED or TIMEOUT when it cannot be embedded now, the model's error when a passage makes it fail
 */
export async function embedDocument(
  context: Pick<Context, 'inference' | 'predictions' | 'signal'>,
  organizationId: string,
  { title, content }: { title: string; content: string },
  version: LoadedVersion,
  options: EmbeddingOptions,
): Promise<EmbeddedPassages> {
  const passages = cutPassages(content);
  const texts = passages.map((passage) => passageText(title, content, passage));
  const vectors = (await embedTexts(context, organizationId, texts, version, options)).map((vector) => {
    if (vector instanceof Error) throw vector;
    return vector;
  });
  return { version: embeddingKey(version), places: inCharacters(content, passages), vectors };
}
