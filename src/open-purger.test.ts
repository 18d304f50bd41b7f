import { expect, test } from 'vitest';
import { writeListener } from './open-purger.ts';

test('edges are told of a write when no process answers from before it any more, and the write waits for both', async () => {
  const told: string[] = [];
  const gates = { cache: Promise.withResolvers<void>(), edges: Promise.withResolvers<void>() };
  const part = (name: 'cache' | 'edges') => ({
    onWrite: async (tags: readonly string[]) => {
      told.push(`${name}: ${tags}`);
      await gates[name].promise;
    },
  });
  const written = writeListener(part('cache'), part('edges'))!(['tag']).then(() => told.push('written'));
  await new Promise(setImmediate);
  expect(told).toEqual(['cache: tag']);
  gates.cache.resolve();
  await new Promise(setImmediate);
  expect(told).toEqual(['cache: tag', 'edges: tag']);
  gates.edges.resolve();
  await written;
  expect(told).toEqual(['cache: tag', 'edges: tag', 'written']);
});

test('either goes without the other, and without both no tags are wanted', async () => {
  const onWrite = async () => {};
  expect(writeListener({ onWrite }, null)).toBe(onWrite);
  expect(writeListener(null, { onWrite })).toBe(onWrite);
  expect(writeListener(null, null)).toBeUndefined();
});
