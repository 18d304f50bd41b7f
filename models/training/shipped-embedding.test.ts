import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddingDimensions, textSimilarity, tokenizeEmbedding } from '../../src/domains/predictions/embedding.ts';
import { type InferenceEngine, InferenceError } from '../../src/inference/engine.ts';
import { scanModelRepository } from '../../src/inference/repository.ts';
import { createWorkerEngine } from '../../src/inference/worker-engine.ts';
import { maxDifference } from './artifact.ts';
import { measureTriples } from './embedding-evaluation.ts';

const modelsDirectory = join(import.meta.dirname, '..');
let engine: InferenceEngine;
let threshold: number;

beforeAll(async () => {
  const repository = await scanModelRepository(modelsDirectory);
  const versions = repository.versions.filter(({ manifest }) => manifest.name === 'embedding');
  threshold = versions[0]!.manifest.options.sameQuestionSimilarity as number;
  engine = await createWorkerEngine({ repository: { versions, failures: [] }, workers: 1 });
});
afterAll(() => engine.close());

async function embed(texts: readonly string[]): Promise<Float32Array[]> {
  const rows = texts.map((text) => {
    const ids = tokenizeEmbedding(text);
    return { input_ids: { data: ids, dims: [ids.length] } };
  });
  const results = await engine.predict({ model: 'embedding', version: '1', rows });
  return results.map((result) => {
    if (result instanceof InferenceError) throw result;
    return result.outputs.embedding!.data as Float32Array;
  });
}

describe('the shipped embedding model', () => {
  it('is loaded by the engine for the task EMBEDDING', () => {
    expect(engine.failures()).toEqual([]);
    expect(engine.versions()).toMatchObject([
      { name: 'embedding', version: '1', task: 'EMBEDDING', precision: 'INT8' },
    ]);
  });

  it('gives unit vectors, for any text', async () => {
    const texts = ['Where is my card?', '', '😀', '漢字仮名交じり文', '!?'.repeat(5_000), 'help me '.repeat(2_000)];
    for (const vector of await embed(texts)) {
      expect(vector).toHaveLength(embeddingDimensions);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    }
  });

  it('gives a text the same vector alone and in a batch of other lengths', async () => {
    const texts = Array.from(
      { length: 100 },
      (_, i) => `question ${i} about ${'a long and winding road '.repeat(i % 9)}`,
    );
    const batched = await embed(texts);
    for (const i of [0, 1, 8, 50, 99]) {
      expect(maxDifference((await embed([texts[i]!]))[0]!, batched[i]!)).toBeLessThan(1e-6);
    }
  });

  it('takes two ways to ask a trained question for the same, and another question not', async () => {
    const [first, same, other] = await embed([
      'My card has not arrived yet',
      "The card still hasn't arrived",
      'How do I top up my account?',
    ]);
    expect(textSimilarity(first!, same!)).toBeGreaterThan(threshold);
    expect(textSimilarity(first!, other!)).toBeLessThan(threshold);
  });

  it('finds rewordings that keep some words, in texts that it was not trained on', async () => {
    const { rewordingNearer, differentTakenForSame } = await measureTriples(embed, threshold);
    expect(rewordingNearer).toBeGreaterThanOrEqual(0.9);
    expect(differentTakenForSame).toBe(0);
  });
});
