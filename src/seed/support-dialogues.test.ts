import { expect, test } from 'vitest';
import { createRandom } from './random.ts';
import { climateAt, moods, supportTopics, writeDialogue } from './support-dialogues.ts';

test('the sentences are many, all different, and fill every word in braces', () => {
  const sentences = supportTopics.flatMap((topic) => [
    ...Object.values(topic.openings).flat(),
    ...topic.questions,
    ...topic.details,
    ...topic.solutions,
    ...topic.followUps.flat(),
    ...Object.values(topic.closings).flat(),
  ]);
  expect(new Set(sentences).size).toBeGreaterThan(300);
  const random = createRandom('test');
  for (let i = 0; i < 2_000; i++) {
    const { title, lines } = writeDialogue(random, random.pick(moods));
    expect(lines.length).toBeGreaterThanOrEqual(2);
    for (const text of [title, ...lines.map((line) => line.content)]) expect(text).not.toMatch(/[{}]|undefined/);
    for (const { gapMs } of lines) expect(Number.isInteger(gapMs) && gapMs >= 1).toBe(true);
  }
});

test('the same seed says the same', () => {
  const write = () => writeDialogue(createRandom('a seed'), 'negative');
  expect(write()).toEqual(write());
});

test('moods stay shares that are possible, and drift', () => {
  for (let share = 0; share <= 1; share += 0.01) {
    const { moods: now, outageWeight } = climateAt(share);
    expect(Math.min(...Object.values(now), outageWeight)).toBeGreaterThan(0);
  }
  expect(climateAt(0.36).moods.negative).toBeGreaterThan(2 * climateAt(1).moods.negative);
});
