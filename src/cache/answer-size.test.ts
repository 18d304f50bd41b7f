import { randomUUID } from 'node:crypto';
import { setImmediate as endOfTurn } from 'node:timers/promises';
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

/** Of 20 rows of the 100 that an organization has pages of. */
function tagsOfPage(index: number): string[] {
  const organization = organizations[index % organizations.length]!;
  const rows = Array.from({ length: 20 }, (_, row) => String((index + row) % 100).padStart(36, '0'));
  return [
    '/features',
    ...['.*', ':+', ':created_at', ':id'].map((what) => `${organization}/features${what}`),
    ...rows.map((id) => `${organization}/features.id=${id}`),
  ];
}

test.each([
  // 0.92 when written; with a Set of keys for each tag, and an ETag made of parts, it was 1.16.
  ['objects', tagsOf, 0.75],
  // 0.60 when written: most of their tags are other pages', too, and V8 keeps one text for equal keys of a Map.
  ['pages', tagsOfPage, 0.4],
] as const)('answers of %s are counted for what they take', async (_of, tagsOfAnswer, least) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const takenBytes = async () => {
    // What is outside of the heap goes after what held it.
    for (let times = 0; times < 3; times += 1) {
      collect();
      await endOfTurn();
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const cache = new AnswerCache({ openLog: (onChange) => createLocalInvalidationLog(onChange), maxBytes: 2 ** 30 });
  const record = cache.record('Screen', 'organization');
  const featureIds = Array.from({ length: answers / 2 }, () => randomUUID());
  const before = await takenBytes();
  for (let index = 0; index < answers; index += 1) {
    const featureId = featureIds[index >> 1]!;
    const variables = JSON.stringify({ first: index, id: featureId });
    const making = (await cache.find(`schema:Screen:hash:org=${organizations[0]}:${variables}`, record)) as Making;
    making.keep({ body: Buffer.from(new ArrayBuffer(800)), tags: tagsOfAnswer(index, featureId), maxAgeMs: 300_000 });
  }
  const taken = (await takenBytes()) - before;
  expect(cache.count).toBe(answers);
  expect(taken / cache.bytes).toBeGreaterThan(least);
  expect(taken / cache.bytes).toBeLessThan(1.1);
  cache.close();
});
