import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerMemory, type Removal } from './answer-memory.ts';

const answer = (tags: string[], bytes = 100) => ({ tags, bytes });

function open(maxBytes = 1_000_000) {
  const removals: Removal[] = [];
  const memory = new AnswerMemory({ maxBytes, onRemoval: (removal) => removals.push(removal) });
  return { memory, removals };
}

describe('the memory of answers', () => {
  test('forgets what was made of what changed, and nothing else', () => {
    const { memory, removals } = open();
    memory.set('one', answer(['a', 'b']));
    memory.set('two', answer(['b']));
    memory.set('three', answer(['c']));
    memory.drop(['a', 'unknown']);
    expect(['one', 'two', 'three'].map((key) => memory.get(key) !== undefined)).toEqual([false, true, true]);
    memory.drop('all');
    expect(memory.count).toBe(0);
    expect(removals).toEqual(['changed', 'changed', 'changed']);
  });

  test('an answer that replaces another goes by its own tags', () => {
    const { memory, removals } = open();
    memory.set('one', answer(['a']));
    memory.set('one', answer(['b']));
    memory.drop(['a']);
    expect(memory.get('one')).toEqual(answer(['b']));
    memory.drop(['b']);
    expect(memory.get('one')).toBeUndefined();
    expect(removals).toEqual(['replaced', 'changed']);
  });

  test('stays within its bytes; what was used last stays', () => {
    const { memory, removals } = open(10_000);
    for (let index = 0; index < 10; index++) {
      memory.set(`key-${index}`, answer(['a'], 2_000));
      memory.get('key-0');
    }
    expect(memory.bytes).toBeLessThanOrEqual(10_000);
    expect(memory.get('key-0')).toBeDefined();
    expect(memory.get('key-1')).toBeUndefined();
    expect(removals.length).toBe(10 - memory.count);
    memory.set('huge', answer(['h'], 20_000));
    expect(memory.get('huge')).toBeUndefined();
    memory.drop(['a']);
    expect(memory.count).toBe(0);
  });

  test('holds what a plain map of answers and tags holds, whatever is done to it', () => {
    const key = fc.constantFrom('k1', 'k2', 'k3', 'k4');
    const tag = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.oneof(
      fc.tuple(fc.constant('set' as const), key, fc.uniqueArray(tag, { maxLength: 4 })),
      fc.tuple(fc.constant('drop' as const), key, fc.uniqueArray(tag, { maxLength: 2 })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { memory } = open();
        const expected = new Map<string, string[]>();
        for (const [kind, at, tags] of steps) {
          if (kind === 'set') {
            memory.set(at, answer(tags));
            expected.set(at, tags);
          } else {
            memory.drop(tags);
            for (const [known, of] of expected)
              if (of.some((name) => tags.some((tag) => tag === name))) expected.delete(known);
          }
        }
        for (const at of ['k1', 'k2', 'k3', 'k4']) expect(memory.get(at)?.tags).toEqual(expected.get(at));
      }),
    );
  });
});
