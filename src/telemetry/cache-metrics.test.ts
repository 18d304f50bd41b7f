import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createCacheMetrics } from './cache-metrics.ts';

test('answers are told by tier, outcome, operation and scope; what is added to a number is counted', async () => {
  const registry = new Registry();
  const metrics = createCacheMetrics([registry]);
  const counts = metrics.countsOf('FeaturePage', 'organization');
  counts.hit += 3;
  counts.l2 += 2;
  counts.miss += 1;
  metrics.countsOf('FeaturePage', 'organization').hit += 1;
  metrics.countsOf('FeaturePage', 'public').hit += 7;
  const lines = async () => (await registry.metrics()).split('\n');
  const expected = [
    'tributary_cache_answers_total{tier="l1",outcome="hit",operation="FeaturePage",scope="organization"} 4',
    'tributary_cache_answers_total{tier="l2",outcome="hit",operation="FeaturePage",scope="organization"} 2',
    'tributary_cache_answers_total{tier="none",outcome="miss",operation="FeaturePage",scope="organization"} 1',
    'tributary_cache_answers_total{tier="l1",outcome="hit",operation="FeaturePage",scope="public"} 7',
  ];
  expect(await lines()).toEqual(expect.arrayContaining(expected));
  // Asked for again, they are the same.
  expect(await lines()).toEqual(expect.arrayContaining(expected));
});

test('what goes, what is not kept, and what Redis does are counted', async () => {
  const registry = new Registry();
  const metrics = createCacheMetrics([registry]);
  metrics.onChange('all');
  metrics.onChange(['a', 'b']);
  metrics.onRemoval('evicted');
  metrics.onRace();
  metrics.onSharedRead('found', 1.5);
  metrics.onSharedWrite('failed', 50);
  metrics.onWait('over', 1_000);
  metrics.watch({ bytes: 12, count: 3 });
  expect((await registry.metrics()).split('\n')).toEqual(
    expect.arrayContaining([
      'tributary_cache_changes_total{of="all"} 1',
      'tributary_cache_changes_total{of="tags"} 1',
      'tributary_cache_removals_total{reason="evicted"} 1',
      'tributary_cache_races_total 1',
      'tributary_cache_shared_read_seconds_sum{result="found"} 0.0015',
      'tributary_cache_shared_write_seconds_count{result="failed"} 1',
      'tributary_cache_wait_seconds_sum{result="over"} 1',
      'tributary_cache_bytes 12',
      'tributary_cache_count 3',
    ]),
  );
});
