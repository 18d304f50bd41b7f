import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Pool, PoolStats, StatementListener } from '../db/database.ts';
import type { BatchReport, InferenceEngine } from '../inference/engine.ts';
import type { CacheLookup } from '../inference/prediction-cache.ts';
import type { PredictionRecord } from '../inference/prediction-sink.ts';
import { type CacheMetrics, createCacheMetrics } from './cache-metrics.ts';

const statementSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const batchRows = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** Figures of the process, the pool, the statements and the batches; every label comes from a fixed set of the code's own names. */
export interface Metrics {
  readonly registry: Registry;
  readonly onStatement: StatementListener;
  readonly onBatch: (report: BatchReport) => void;
  readonly onLookup: (report: CacheLookup) => void;
  readonly onCall: (call: PredictionRecord) => void;
  readonly onRolloutReturn: (rollout: { readonly model: string }) => void;
  readonly cache: CacheMetrics;
  /** Under a name, such as `requests`. */
  watchPool(name: string, pool: Pool): void;
  watchVersions(engine: Pick<InferenceEngine, 'versions'>): void;
  watchPredictions(recorder: { readonly dropped: number }): void;
  watchShadows(shadows: { readonly dropped: number }): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const statements = new Histogram({
    name: 'tributary_statement_seconds',
    help: 'Time of a SQL statement with its wait for a connection, by statement.',
    labelNames: ['statement'],
    buckets: statementSeconds,
    registers,
  });
  const failures = new Counter({
    name: 'tributary_statement_failures_total',
    help: 'SQL statements that failed, by statement.',
    labelNames: ['statement'],
    registers,
  });
  const inference = createInferenceMetrics(registers);
  return {
    registry,
    onStatement: ({ name }, milliseconds, error) => {
      statements.observe({ statement: name }, milliseconds / 1000);
      if (error) failures.inc({ statement: name });
    },
    onBatch: inference,
    onLookup: createLookupMetrics(registers),
    onCall: createCallMetrics(registers),
    onRolloutReturn: createReturnMetrics(registers),
    cache: createCacheMetrics(registers),
    watchPool: createPoolMetrics(registers),
    watchVersions: (engine) => watchVersions(engine, registers),
    watchPredictions: (recorder) => watchPredictions(recorder, registers),
    watchShadows: (shadows) => watchShadows(shadows, registers),
  };
}

function createInferenceMetrics(registers: Registry[]): Metrics['onBatch'] {
  const labelNames = ['model', 'version'] as const;
  const rows = new Histogram({
    name: 'tributary_inference_batch_rows',
    help: 'Rows of a batch; its sum is the inference count, its count the execution count.',
    labelNames,
    buckets: batchRows,
    registers,
  });
  const queue = new Histogram({
    name: 'tributary_inference_queue_seconds',
    help: 'Time the oldest row of a batch waited.',
    labelNames,
    buckets: statementSeconds,
    registers,
  });
  const compute = new Histogram({
    name: 'tributary_inference_compute_seconds',
    help: 'Time of the run of a batch.',
    labelNames,
    buckets: statementSeconds,
    registers,
  });
  const failed = new Counter({
    name: 'tributary_inference_failures_total',
    help: 'Batches that failed.',
    labelNames,
    registers,
  });
  return ({ model, version, rows: count, queueMs, computeMs, isFailed }) => {
    const labels = { model, version };
    rows.observe(labels, count);
    queue.observe(labels, queueMs / 1000);
    compute.observe(labels, computeMs / 1000);
    if (isFailed) failed.inc(labels);
  };
}

function createLookupMetrics(registers: Registry[]): Metrics['onLookup'] {
  const rows = new Counter({
    name: 'tributary_inference_cache_rows_total',
    help: 'Rows looked up in the prediction cache.',
    labelNames: ['model', 'version', 'result'],
    registers,
  });
  return ({ model, version, hits, misses }) => {
    if (hits > 0) rows.inc({ model, version, result: 'hit' }, hits);
    if (misses > 0) rows.inc({ model, version, result: 'miss' }, misses);
  };
}

/** Calls by version: their count is that of the histogram. Calls that were refused or cancelled are none. */
function createCallMetrics(registers: Registry[]): Metrics['onCall'] {
  const labelNames = ['model', 'version', 'kind'] as const;
  const seconds = new Histogram({
    name: 'tributary_model_call_seconds',
    help: 'Time of a call of a model with its wait, by version and by whether the viewer got the answer.',
    labelNames,
    buckets: statementSeconds,
    registers,
  });
  const failed = new Counter({
    name: 'tributary_model_call_failures_total',
    help: 'Calls of a model that failed or were not answered in time.',
    labelNames,
    registers,
  });
  return ({ model, version, shadowOf, latencyMs, error }) => {
    const labels = { model, version, kind: shadowOf === null ? 'served' : 'shadow' };
    seconds.observe(labels, latencyMs / 1000);
    if (error !== null) failed.inc(labels);
  };
}

function createReturnMetrics(registers: Registry[]): Metrics['onRolloutReturn'] {
  const returns = new Counter({
    name: 'tributary_rollout_returns_total',
    help: 'Rollouts that this process returned to their baseline.',
    labelNames: ['model'],
    registers,
  });
  return ({ model }) => returns.inc({ model });
}

function createPoolMetrics(registers: Registry[]): Metrics['watchPool'] {
  const pools = new Map<string, Pool>();
  const watch = (name: string, help: string, read: (stats: PoolStats) => number, aggregator: 'sum' | 'min' = 'sum') =>
    new Gauge({
      name,
      help,
      labelNames: ['pool'],
      registers,
      aggregator,
      collect() {
        for (const [label, pool] of pools) this.set({ pool: label }, read(pool.stats()));
      },
    });
  watch('tributary_pool_connections_max', 'Most connections of the pool.', ({ size }) => size);
  watch('tributary_pool_connections', 'Open connections of the pool.', ({ open }) => open);
  watch('tributary_pool_running', 'Connections at work.', ({ running }) => running);
  watch('tributary_pool_waiting', 'Statements and transactions that wait for a connection.', ({ waiting }) => waiting);
  watch('tributary_database_up', '1 while the database answers.', ({ isUp }) => (isUp ? 1 : 0), 'min');
  return (name, pool) => {
    pools.set(name, pool);
  };
}

function watchVersions(engine: Pick<InferenceEngine, 'versions'>, registers: Registry[]): void {
  new Gauge({
    name: 'tributary_inference_version_info',
    help: '1 for each model version that is loaded, with where it runs.',
    labelNames: ['model', 'version', 'precision', 'execution_provider'],
    registers,
    aggregator: 'max',
    collect() {
      this.reset();
      for (const { name: model, version, precision, executionProvider } of engine.versions()) {
        this.set({ model, version, precision, execution_provider: executionProvider }, 1);
      }
    },
  });
}

function watchPredictions(recorder: { readonly dropped: number }, registers: Registry[]): void {
  new Gauge({
    name: 'tributary_predictions_dropped',
    help: 'Prediction records that were dropped since the start because the queue was full or the database failed.',
    registers,
    collect() {
      this.set(recorder.dropped);
    },
  });
}

function watchShadows(shadows: { readonly dropped: number }, registers: Registry[]): void {
  new Gauge({
    name: 'tributary_shadow_calls_dropped',
    help: 'Calls that were not shadowed since the start because too many were, or the engine was overloaded.',
    registers,
    collect() {
      this.set(shadows.dropped);
    },
  });
}
