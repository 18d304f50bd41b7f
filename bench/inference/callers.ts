/** Load on the engine's predict(): callers in a loop, and calls at a fixed rate whatever becomes of them. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { type InferenceEngine, InferenceError } from '../../src/inference/engine.ts';
import type { Workload } from './workload.ts';

export interface LoopFigures {
  readonly rowsPerSecond: number;
  /** p99 of the delay of this process's event loop meanwhile; milliseconds. */
  readonly delayP99Ms: number;
}

const warmUpMs = 300;

/** So many callers at once, each with one call after the other. */
export async function callInLoops(
  engine: InferenceEngine,
  workload: Workload,
  { callers, rowsPerCall = 1, seconds }: { callers: number; rowsPerCall?: number; seconds: number },
): Promise<LoopFigures> {
  const { model, version } = workload;
  let answered = 0;
  let isOver = false;
  // One signal for each caller: thousands of listeners on one are slow to remove.
  const controllers = Array.from({ length: callers }, () => new AbortController());
  const call = async ({ signal }: AbortController) => {
    while (!isOver) {
      const rows = Array.from({ length: rowsPerCall }, workload.nextRow);
      const results = await engine.predict({ model, version, rows, signal });
      for (const result of results) if (result instanceof InferenceError) throw result;
      answered += rowsPerCall;
    }
  };
  const loops = Promise.all(controllers.map((controller) => call(controller).catch(unlessAborted)));
  await Promise.race([pause(warmUpMs), loops]);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  answered = 0;
  const startedAt = performance.now();
  await Promise.race([pause(seconds * 1_000), loops]);
  const rowsPerSecond = (answered * 1_000) / (performance.now() - startedAt);
  delay.disable();
  isOver = true;
  for (const controller of controllers) controller.abort();
  await loops;
  return { rowsPerSecond, delayP99Ms: delay.percentile(99) / 1e6 };
}

export interface RateFigures {
  /** Calls. */
  offered: number;
  /** Milliseconds from call to answer, of the accepted, the refused at once, and those that gave up waiting. */
  readonly acceptedMs: number[];
  readonly overloadedMs: number[];
  readonly timeoutMs: number[];
  /** Accepted and answered while calls still came, a second. */
  rowsPerSecond: number;
}

/** Calls at a fixed rate for some time, each with a deadline; resolves when all have been answered. */
export async function callAtRate(
  engine: InferenceEngine,
  workload: Workload,
  load: { rowsPerSecond: number; rowsPerCall: number; seconds: number; deadlineMs: number },
): Promise<RateFigures> {
  const { model, version } = workload;
  const figures: RateFigures = { offered: 0, acceptedMs: [], overloadedMs: [], timeoutMs: [], rowsPerSecond: 0 };
  const pending = new Set<Promise<void>>();
  const call = async () => {
    const rows = Array.from({ length: load.rowsPerCall }, workload.nextRow);
    const calledAt = performance.now();
    const request = { model, version, rows, deadlineMs: load.deadlineMs };
    const [result] = await engine.predict(request).catch((error: InferenceError) => [error]);
    const tookMs = performance.now() - calledAt;
    if (!(result instanceof InferenceError)) figures.acceptedMs.push(tookMs);
    else if (result.kind === 'overloaded') figures.overloadedMs.push(tookMs);
    else if (result.kind === 'timeout') figures.timeoutMs.push(tookMs);
    else throw result;
  };
  const startedAt = performance.now();
  let elapsedMs = 0;
  while (elapsedMs < load.seconds * 1_000) {
    await pause(1);
    elapsedMs = performance.now() - startedAt;
    const due = (elapsedMs * load.rowsPerSecond) / load.rowsPerCall / 1_000;
    for (; figures.offered < due; figures.offered += 1) {
      const answer = call().finally(() => pending.delete(answer));
      pending.add(answer);
    }
  }
  figures.rowsPerSecond = (figures.acceptedMs.length * load.rowsPerCall * 1_000) / elapsedMs;
  await Promise.all(pending);
  return figures;
}

function unlessAborted(error: unknown): void {
  if (!(error instanceof InferenceError && error.kind === 'aborted')) throw error;
}
