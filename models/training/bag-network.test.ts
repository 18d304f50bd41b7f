import { describe, expect, it } from 'vitest';
import { sentimentBuckets, tokenizeSentiment } from '../../src/domains/predictions/sentiment.ts';
import { maxDifference, openSession, runSession } from './artifact.ts';
import { type BagExample, createBag, createBagTrainer, runBag } from './bag-network.ts';
import { createRandom } from './random.ts';
import { exportSentiment, padIds } from './sentiment-model.ts';

const noiseLabels = Float32Array.of(0, 0, 0, 1);

function generateExamples(count: number): BagExample[] {
  const random = createRandom(11);
  const fillers = ['the', 'train', 'house', 'was', 'on', 'monday', 'very'];
  return Array.from({ length: count }, (_, i) => {
    const label = i % 2;
    const words = Array.from({ length: 5 }, () => fillers[random.integer(fillers.length)]!);
    words.splice(random.integer(5), 0, label === 0 ? 'splendid' : 'dreadful');
    return { ids: tokenizeSentiment(words.join(' ')), labels: Float32Array.of(1 - label, label, 0, Number.NaN) };
  });
}

function train(seed: number) {
  const random = createRandom(seed);
  const network = createBag(sentimentBuckets, 8, 4, random);
  const pass = createBagTrainer(network, random);
  for (let epoch = 0; epoch < 3; epoch++) pass(generateExamples(300), { rate: 0.1, noiseShare: 0.1, noiseLabels });
  return network;
}

describe('bag network', () => {
  const network = train(1);

  it('learns which word matters', () => {
    const [positive, negative] = [tokenizeSentiment('a splendid house'), tokenizeSentiment('a dreadful house')];
    expect(runBag(network, positive)[0]).toBeGreaterThan(0.8);
    expect(runBag(network, negative)[1]).toBeGreaterThan(0.8);
  });

  it('gives finite probabilities for padding alone', () => {
    expect(runBag(network, Int32Array.of(0)).every((value) => value > 0 && value < 1)).toBe(true);
  });

  it('is the same for the same seed', () => {
    expect(train(1)).toEqual(network);
  });

  it('is exported without change, and rows do not depend on their batch', async () => {
    const rows = ['splendid', '', 'dreadful monday on the train', 'x'.repeat(300)].map(tokenizeSentiment);
    const session = await openSession(exportSentiment(network));
    const batched = await runSession(session, padIds(rows));
    expect(
      maxDifference(
        rows.flatMap((ids) => [...runBag(network, ids)]),
        batched,
      ),
    ).toBeLessThan(1e-6);
    for (const [i, row] of rows.entries()) {
      const alone = await runSession(session, padIds([row]));
      expect(maxDifference(alone, batched.subarray(i * 4, i * 4 + 4))).toBeLessThan(1e-6);
    }
  });
});
