/** Each execution provider that can be had: throughput and latency by batch cap, beside the CPU in the same run. */
import { setTimeout as pause } from 'node:timers/promises';
import { type InferenceEngine, InferenceError } from '../../src/inference/engine.ts';
import { type ExecutionProvider, executionProviders } from '../../src/inference/execution-providers.ts';
import { createWorkerEngine } from '../../src/inference/worker-engine.ts';
import { percentile } from '../statistics.ts';
import type { Report } from './report.ts';
import type { Workload } from './workload.ts';

const caps = [1, 2, 4, 8, 16, 32, 64, 128];
// A batch runs while the next ones gather.
const callersPerRow = 4;
const warmUpMs = 300;
// The cap is what bounds a batch here, not the time it takes.
const maxBatchMs = 60_000;

interface Figures {
  readonly rowsPerSecond: number;
  readonly p95Ms: number;
}

/** One worker thread on each provider; one that cannot be used is named with its reason, as not measured. */
export async function benchProviders(workloads: readonly Workload[], seconds: number, report: Report): Promise<void> {
  for (const workload of workloads) {
    report.title(`${workload.model} by batch cap, one worker thread: rows a second, p95`);
    for (const provider of executionProviders) {
      const line: string[] = [];
      for (const cap of caps) {
        const figures = await measure(workload, provider, { cap, seconds });
        if (typeof figures === 'string') {
          line.push(`not measured: ${figures}`);
          break;
        }
        const { rowsPerSecond, p95Ms } = figures;
        line.push(`${cap}: ${Math.round(rowsPerSecond).toLocaleString('en')}, ${p95Ms.toFixed(1)} ms`);
      }
      report.figure(`${provider}: ${line.join(' | ')}`);
    }
  }
}

/** The reason instead, where the provider cannot be used. */
async function measure(
  workload: Workload,
  provider: ExecutionProvider,
  { cap, seconds }: { cap: number; seconds: number },
): Promise<Figures | string> {
  const { manifest, modelPath } = workload.files;
  const versions = [{ manifest: { ...manifest, maxBatchRows: cap, deterministic: false }, modelPath }];
  let reason = 'it could not be used';
  const engine = await createWorkerEngine({
    repository: { versions, failures: [] },
    workers: 1,
    maxBatchMs,
    executionProviders: [provider],
    onProviderSkipped: (skipped) => {
      reason = skipped;
    },
  });
  try {
    const isThere = engine.versions()[0]?.executionProvider === provider;
    return isThere ? await saturate(engine, workload, { callers: cap * callersPerRow, seconds }) : reason;
  } finally {
    await engine.close();
  }
}

async function saturate(
  engine: InferenceEngine,
  { model, version, nextRow }: Workload,
  { callers, seconds }: { callers: number; seconds: number },
): Promise<Figures> {
  let tookMs: number[] = [];
  let isOver = false;
  const call = async () => {
    while (!isOver) {
      const calledAt = performance.now();
      const [result] = await engine.predict({ model, version, rows: [nextRow()] });
      if (result instanceof InferenceError) throw result;
      tookMs.push(performance.now() - calledAt);
    }
  };
  const loops = Promise.all(Array.from({ length: callers }, call));
  await Promise.race([pause(warmUpMs), loops]);
  tookMs = [];
  const startedAt = performance.now();
  await Promise.race([pause(seconds * 1_000), loops]);
  const rowsPerSecond = (tookMs.length * 1_000) / (performance.now() - startedAt);
  const p95Ms = percentile(tookMs, 0.95);
  isOver = true;
  await loops;
  return { rowsPerSecond, p95Ms };
}
