import { describe, expect, it } from 'vitest';
import {
  embeddingBuckets,
  embeddingDimensions,
  textSimilarity,
  tokenizeEmbedding,
} from '../../src/domains/predictions/embedding.ts';
import { maxDifference, openSession, runSession } from './artifact.ts';
import { embeddingFeed, exportEmbedding, quantizeRows, roundNetwork } from './embedding-model.ts';
import { createContrastiveTrainer, createEmbedding, runEmbedding } from './embedding-network.ts';
import { weighIds } from './embedding-training.ts';
import { mean } from './metrics.ts';
import { createRandom } from './random.ts';

const intents = {
  late: ['my parcel is late', 'where is it, still waiting', 'nothing arrived yet', 'when does the box come'],
  broken: ['the lamp is broken', 'it does not work', 'my radio makes no sound', 'a crack in the glass'],
  price: ['what does it cost', 'the price of a lamp', 'how much is a radio', 'is the box cheap'],
};
const examples = Object.entries(intents).flatMap(([label, texts]) =>
  // Repeated, so that a pass has some batches.
  Array.from({ length: 32 }, () => texts).flatMap((group) =>
    group.map((text) => ({ ids: tokenizeEmbedding(text), label })),
  ),
);
// About what words of a general text weigh: steps are small beside rows of this length.
const weights = new Float64Array(embeddingBuckets).fill(8);

function createUntrained(seed: number) {
  return createEmbedding(weights, embeddingDimensions, createRandom(seed));
}

function train(seed: number) {
  const random = createRandom(seed);
  const network = createEmbedding(weights, embeddingDimensions, random);
  const pass = createContrastiveTrainer(network, examples, random);
  for (let epoch = 0; epoch < 6; epoch++) pass(0.05);
  return network;
}

describe('embedding network', () => {
  const network = train(1);
  const similarity = (model: typeof network, first: string, second: string) =>
    textSimilarity(runEmbedding(model, tokenizeEmbedding(first)), runEmbedding(model, tokenizeEmbedding(second)));

  it('is a projection of common words before any training', () => {
    const untrained = createUntrained(1);
    expect(similarity(untrained, 'green tea with milk', 'milk with green tea')).toBeCloseTo(1, 5);
    expect(similarity(untrained, 'green tea with milk', 'green tea with lemon')).toBeGreaterThan(0.5);
    expect(Math.abs(similarity(untrained, 'green tea with milk', 'four old bicycles'))).toBeLessThan(0.3);
  });

  it('brings texts of one intent together, and others apart', () => {
    const untrained = createUntrained(1);
    const texts = Object.entries(intents).flatMap(([label, own]) => own.map((text) => ({ text, label })));
    const meanSimilarity = (model: typeof network, isSame: boolean) => {
      const pairs = texts.flatMap((first) =>
        texts
          .filter((second) => second !== first && (second.label === first.label) === isSame)
          .map((second) => [first, second]),
      );
      return mean(pairs.map(([first, second]) => similarity(model, first!.text, second!.text)));
    };
    const gap = (model: typeof network) => meanSimilarity(model, true) - meanSimilarity(model, false);
    expect(gap(untrained)).toBeLessThan(0.1);
    expect(gap(network)).toBeGreaterThan(0.4);
  });

  it('leaves the rows of ids that it never met as they were', () => {
    const untrained = createUntrained(1);
    const ids = tokenizeEmbedding('zygote quark');
    const met = new Set(examples.flatMap((example) => [...example.ids]));
    const unmet = ids.filter((id) => !met.has(id));
    expect(unmet.length).toBeGreaterThan(10);
    expect(runEmbedding(network, unmet)).toEqual(runEmbedding(untrained, unmet));
  });

  it('is the same for the same seed', () => {
    expect(maxDifference(train(1).rows, network.rows)).toBe(0);
    expect(maxDifference(train(2).rows, network.rows)).toBeGreaterThan(0);
  });

  it('weighs ids by how few texts have them, those of no text most', () => {
    const weighed = weighIds(['the cat', 'the dog', 'the cat the cat']);
    const [the, cat, dog, unseen] = ['the', 'cat', 'dog', 'emu'].map((word) => weighed[tokenizeEmbedding(word)[0]!]!);
    expect([the, cat, dog, unseen]).toEqual([0, Math.log(4 / 3), Math.log(4 / 2), Math.log(4)]);
  });

  it('is exported with rows rounded to 8 bits, and rows do not depend on their batch', async () => {
    const texts = ['my parcel is late', '', 'four old bicycles!', 'x'.repeat(300), 'where is it '.repeat(80)];
    const session = await openSession(exportEmbedding(network));
    const batched = await runSession(session, embeddingFeed(texts));
    const rounded = roundNetwork(network);
    for (const [i, text] of texts.entries()) {
      const exported = batched.subarray(i * embeddingDimensions, (i + 1) * embeddingDimensions);
      // The longest text is a sum of some 600 rows of float32.
      expect(maxDifference(runEmbedding(rounded, tokenizeEmbedding(text)), exported)).toBeLessThan(5e-6);
      expect(textSimilarity(runEmbedding(network, tokenizeEmbedding(text)), exported)).toBeGreaterThan(0.999);
      const alone = await runSession(session, embeddingFeed([text]));
      expect(maxDifference(alone, exported)).toBeLessThan(1e-6);
    }
  });

  it('gives zeros, not NaN, for padding alone', async () => {
    const session = await openSession(exportEmbedding(network));
    const feed = { type: 'int32', data: new Int32Array(6), shape: [2, 3] } as const;
    expect(await runSession(session, feed)).toEqual(new Float32Array(2 * embeddingDimensions));
  });

  it('rounds each row by its own largest value', () => {
    const { values, scales } = quantizeRows({ dimensions: 2, rows: Float32Array.of(0, 0, 1, -0.5, 0.001, -0.002) });
    expect([...values]).toEqual([0, 0, 127, -63, 64, -127]);
    expect([...scales].map((scale) => scale * 127)).toEqual([0, 1, 0.002].map((value) => expect.closeTo(value, 6)));
  });
});
