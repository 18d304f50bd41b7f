/** Figures of the embedding model: the same questions of bank customers, and texts of other kinds. */
import { textSimilarity } from '../../src/domains/predictions/embedding.ts';
import { sentimentClasses } from '../../src/domains/predictions/sentiment.ts';
import { maxDifference } from './artifact.ts';
import { type Question, readBanking77, readGoEmotions } from './data-files.ts';
import type { EmbeddingRunner } from './embedding-training.ts';
import { mean } from './metrics.ts';
import { type Labelled, matchNearest, measureThreshold } from './nearest-neighbour.ts';
import { oppositePairs, rewordedTriples, type SentenceTriple, synonymTriples } from './sentence-triples.ts';

const searchedTexts = 1_000;
const fewestWords = 6;

/**
 * Each test question of Banking77 looks for the nearest training question: how often it has the same intent; how often
 * it is near enough to count as the same question, and how many of those are. Then texts of other kinds.
 */
export async function evaluateEmbedding(
  dataDirectory: string,
  run: EmbeddingRunner,
  threshold: number,
): Promise<Record<string, number>> {
  const known = await embedQuestions(readBanking77(dataDirectory, 'train'), run);
  const matches = matchNearest(await embedQuestions(readBanking77(dataDirectory, 'test'), run), known);
  const metrics = {
    nearestSameIntent: mean(matches.map(({ isSame }) => Number(isSame))),
    ...measureThreshold(matches, threshold),
    foundShortened: await measureShortened(dataDirectory, run),
    ...(await measureTriples(run, threshold)),
  };
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, Number(value.toFixed(4))]));
}

/** Largest difference of texts run alone to the same texts padded in a batch. */
export async function measureEmbeddingInvariance(run: EmbeddingRunner): Promise<number> {
  const texts = rewordedTriples.flatMap(({ text, reworded }) => [text, reworded]);
  const batched = await run([...texts, texts.join(' ')]);
  let largest = 0;
  for (const [i, text] of texts.entries()) {
    const [alone] = await run([text]);
    largest = Math.max(largest, maxDifference(alone!, batched[i]!));
  }
  return largest;
}

/** Own sentences: how often a rewording is nearer than another meaning, and what is taken for the same question. */
export async function measureTriples(run: EmbeddingRunner, threshold: number): Promise<Record<string, number>> {
  const nearer = async (triples: readonly SentenceTriple[]) => {
    const reworded = await similarities(
      triples.map((triple) => [triple.text, triple.reworded]),
      run,
    );
    const different = await similarities(
      triples.map((triple) => [triple.text, triple.different]),
      run,
    );
    return { reworded, different, share: mean(reworded.map((value, i) => Number(value > different[i]!))) };
  };
  const kept = await nearer(rewordedTriples);
  const synonyms = await nearer(synonymTriples);
  const opposites = await similarities(oppositePairs, run);
  const above = (values: readonly number[]) => mean(values.map((value) => Number(value >= threshold)));
  return {
    rewordingNearer: kept.share,
    synonymsNearer: synonyms.share,
    rewordingsTakenForSame: above(kept.reworded),
    differentTakenForSame: above([...kept.different, ...synonyms.different]),
    oppositesTakenForSame: above(opposites),
  };
}

/** Share of general texts that are found again by two thirds of their words, in reverse order. */
async function measureShortened(dataDirectory: string, run: EmbeddingRunner): Promise<number> {
  const texts = readGoEmotions(dataDirectory, 'test', sentimentClasses)
    .map((row) => row.text.split(' '))
    .filter((words) => words.length >= fewestWords)
    .slice(0, searchedTexts);
  const shortened = texts.map((words) => words.filter((_, i) => i % 3 !== 2).reverse());
  const label = (vectors: readonly Float32Array[]) => vectors.map((vector, i) => ({ vector, label: String(i) }));
  const join = (rows: readonly string[][]) => rows.map((words) => words.join(' '));
  const matches = matchNearest(label(await run(join(shortened))), label(await run(join(texts))));
  return mean(matches.map(({ isSame }) => Number(isSame)));
}

async function similarities(pairs: readonly (readonly [string, string])[], run: EmbeddingRunner): Promise<number[]> {
  const first = await run(pairs.map(([text]) => text));
  const second = await run(pairs.map(([, text]) => text));
  return first.map((vector, i) => textSimilarity(vector, second[i]!));
}

async function embedQuestions(questions: readonly Question[], run: EmbeddingRunner): Promise<Labelled[]> {
  const vectors = await run(questions.map(({ text }) => text));
  return questions.map(({ intent }, i) => ({ vector: vectors[i]!, label: intent }));
}
