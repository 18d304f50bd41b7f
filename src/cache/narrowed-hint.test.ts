import { describe, expect, test } from 'vitest';
import type { CacheHint } from '../schema/policy.ts';
import { NarrowedHint } from './narrowed-hint.ts';

function narrowedBy(...hints: CacheHint[]): NarrowedHint {
  const narrowed = new NarrowedHint();
  for (const hint of hints) narrowed.narrow(hint);
  return narrowed;
}

describe('hints of the parts of an answer', () => {
  test.each<[CacheHint[], ReturnType<() => NarrowedHint['policy']>]>([
    [[], null],
    [[{ scope: 'viewer' }], null],
    [[{ maxAgeSeconds: 60 }], { maxAgeSeconds: 60, scope: 'public' }],
    [
      [{ maxAgeSeconds: 60, scope: 'viewer' }, { maxAgeSeconds: 30 }, { maxAgeSeconds: 90, scope: 'organization' }],
      { maxAgeSeconds: 30, scope: 'viewer' },
    ],
    [[{ maxAgeSeconds: 60 }, { maxAgeSeconds: 0 }, { maxAgeSeconds: 60 }], null],
  ])('%j give the least time and the narrowest scope: %j', (hints, policy) => {
    expect(narrowedBy(...hints).policy).toEqual(policy);
  });

  const policy = { maxAgeSeconds: 60, scope: 'organization' } as const;
  test.each<[CacheHint, ReturnType<NarrowedHint['within']>]>([
    [{}, policy],
    [{ maxAgeSeconds: 90, scope: 'public' }, policy],
    [
      { maxAgeSeconds: 5, scope: 'organization' },
      { maxAgeSeconds: 5, scope: 'organization' },
    ],
    [{ maxAgeSeconds: 0 }, null],
    // It was looked for as an organization's: kept as that, it would be found by all of them.
    [{ scope: 'viewer' }, null],
  ])('said while it was made, %j, narrow a policy and never widen it', (hint, left) => {
    expect(narrowedBy(hint).within(policy)).toEqual(left);
  });
});
