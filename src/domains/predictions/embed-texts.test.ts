import { beforeAll, expect, test } from 'vitest';
import type { LoadedVersion } from '../../inference/engine.ts';
import { scanModelRepository } from '../../inference/repository.ts';
import { createWorkerEngine } from '../../inference/worker-engine.ts';
import { sameQuestionSimilarity } from './embed-texts.ts';

let shipped: LoadedVersion;

beforeAll(async () => {
  const engine = await createWorkerEngine({ repository: await scanModelRepository('models'), workers: 1 });
  shipped = engine.versions().find(({ task }) => task === 'EMBEDDING')!;
  await engine.close();
});

test.each([
  [0.879, 0.879],
  [1, 1],
  [0.3, 0.85],
  [0, null],
  [-1, null],
  [1.2, null],
  ['0.9', null],
  [null, null],
])('a manifest that says %s means %s', (sameQuestion, expected) => {
  const options = { sameQuestionSimilarity: sameQuestion };
  expect(sameQuestionSimilarity({ ...shipped, manifest: { ...shipped.manifest, options } })).toBe(expected);
});

test('the shipped model says it, and one that does not knows none', () => {
  expect(sameQuestionSimilarity(shipped)).toBeGreaterThan(0.85);
  expect(sameQuestionSimilarity({ ...shipped, manifest: { ...shipped.manifest, options: {} } })).toBeNull();
});
