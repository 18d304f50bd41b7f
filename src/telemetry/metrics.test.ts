import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('calls of models are told by version, and those of shadows apart', async () => {
  const { registry, onCall, onRolloutReturn, watchShadows } = createMetrics();
  const call = {
    organizationId: 'o',
    model: 'sentiment',
    version: '1',
    precision: 'FP32' as const,
    latencyMs: 20,
    batchSize: 1,
    cacheHits: 0,
    error: null,
    shadowOf: null,
    agreedRows: null,
  };
  onCall(call);
  onCall({ ...call, error: 'FAILED', latencyMs: 1_000 });
  onCall({ ...call, version: '2', shadowOf: '1' });
  onRolloutReturn({ model: 'sentiment' });
  watchShadows({ dropped: 7 });
  const lines = (await registry.metrics()).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'tributary_model_call_seconds_count{model="sentiment",version="1",kind="served"} 2',
      'tributary_model_call_seconds_sum{model="sentiment",version="1",kind="served"} 1.02',
      'tributary_model_call_seconds_count{model="sentiment",version="2",kind="shadow"} 1',
      'tributary_model_call_failures_total{model="sentiment",version="1",kind="served"} 1',
      'tributary_rollout_returns_total{model="sentiment"} 1',
      'tributary_shadow_calls_dropped 7',
    ]),
  );
  expect(lines.filter((line) => line.startsWith('tributary_model_call_failures_total{'))).toHaveLength(1);
});
