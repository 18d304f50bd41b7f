import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { AnswerCache, type Making } from './answer-cache.ts';
import { createLocalInvalidationLog } from './invalidation-log.ts';

const answers = 10_000;
const organizations = Array.from({ length: 10 }, () => randomUUID());

/** Of a feature and what is below it; half of the answers are of a feature that another one is of, too. */
function tagsOf(index: number, featureId: string): string[] {
  const organization = organizations[index % organizations.length]!;
  const below = ['test_cases', 'deployments'].slice(0, index % 3);
  return [
    '/users',
    `${organization}/users`,
    '/features',
    `${organization}/features.*`,
    `${organization}/features.id=${featureId}`,
    ...below.flatMap((table) => [
      `/${table}`,
      `${organization}/${table}.*`,
      `${organization}/${table}.feature_id=${featureId}`,
    ]),
  ];
}

test('answers are counted for what they take', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const takenBytes = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const cache = new AnswerCache({ openLog: (onChange) => createLocalInvalidationLog(onChange), maxBytes: 2 ** 30 });
  const record = cache.record('Screen', 'organization');
  const featureIds = Array.from({ length: answers / 2 }, () => randomUUID());
  const before = takenBytes();
  for (let index = 0; index < answers; index += 1) {
    const featureId = featureIds[index >> 1]!;
    const variables = JSON.stringify({ first: index, id: featureId });
    const making = (await cache.find(`schema:Screen:hash:org=${organizations[0]}:${variables}`, record)) as Making;
    making.keep({ body: Buffer.from(new ArrayBuffer(800)), tags: tagsOf(index, featureId), maxAgeMs: 300_000 });
  }
  const taken = takenBytes() - before;
  expect(cache.count).toBe(answers);
  // 0.92 when written; with a Set of keys for each tag, and an ETag made of parts, it was 1.16.
  expect(taken / cache.bytes).toBeGreaterThan(0.75);
  expect(taken / cache.bytes).toBeLessThan(1.1);
  cache.close();
});
