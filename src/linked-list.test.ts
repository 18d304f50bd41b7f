import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Link, LinkedList } from './linked-list.ts';

describe('LinkedList', () => {
  test('holds what a Set holds, in its order, whatever comes and goes', () => {
    const step = fc.oneof(fc.constant('add' as const), fc.nat(20));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const list = new LinkedList<number>();
        const set = new Set<number>();
        const links: Link<number>[] = [];
        for (const [value, what] of steps.entries()) {
          if (what === 'add') {
            links.push(list.add(value));
            set.add(value);
          } else if (links[what]) {
            // Also what has gone already.
            list.remove(links[what]);
            set.delete(links[what].value);
          }
          expect([...list]).toEqual([...set]);
          expect(list.size).toBe(set.size);
          expect(list.first?.value).toBe([...set][0]);
        }
      }),
    );
  });

  test('lets go of what was removed', () => {
    const list = new LinkedList<string>();
    const [a, b, c] = ['a', 'b', 'c'].map((value) => list.add(value)) as [Link<string>, Link<string>, Link<string>];
    list.remove(b);
    expect([b.previous, b.next]).toEqual([null, null]);
    expect([a.next, c.previous]).toEqual([c, a]);
  });
});
