/** Mixed load while workers die: every answer is compared with the right one. */
import { setTimeout as pause } from 'node:timers/promises';
import { BroadcastChannel } from 'node:worker_threads';
import { type InferenceEngine, InferenceError, type Lane } from '../../src/inference/engine.ts';
import { createWorkerEngine } from '../../src/inference/worker-engine.ts';
import { slope } from '../statistics.ts';
import { answerRows, isRight, type KnownRows } from './known-rows.ts';
import type { MortalMessage } from './mortal-worker.ts';
import type { Report } from './report.ts';
import type { Workloads } from './workload.ts';

// Not one every few tenths of a second in a short soak: a batch that loses two workers fails, as it should.
const killsAtMost = 20;
const killsPerMinute = 20;
// Two, so that the batch of a dying one has another to go to.
const workers = 2;
const knownSentimentRows = 2_000;
const knownEncoderRows = 500;
const answerLimitMs = 30_000;
const growthTarget = 0.1;

interface Caller {
  readonly known: KnownRows;
  readonly rows: number;
  readonly lane?: Lane;
  readonly deadlineMs?: number;
  /** Half of the calls are abandoned after this time. */
  readonly abortMs?: number;
}

class Counts {
  calls = 0;
  right = 0;
  wrong = 0;
  failed = 0;
  /** What the caller had asked for by its deadline or signal. */
  refused = 0;
  unanswered = 0;
  readonly reasons = new Map<string, number>();
}

/** No lost and no wrong answer over minutes of load with 20 dead workers, and the slope of the memory. */
export async function benchSoak(
  { repository, sentiment, small }: Workloads,
  minutes: number,
  report: Report,
): Promise<void> {
  report.title(`Soak: ${minutes} min of mixed load, ${workers} worker threads`);
  const kills = Math.max(1, Math.min(killsAtMost, Math.floor(minutes * killsPerMinute)));
  const texts = await answerRows(sentiment, knownSentimentRows);
  const encoded = await answerRows(small, knownEncoderRows);
  const channel = new BroadcastChannel('tributary-soak');
  const alive: number[] = [];
  channel.onmessage = (event) => {
    const message = (event as { data: MortalMessage }).data;
    if (message.type === 'born') alive.push(message.threadId);
  };
  let ended = 0;
  const engine = await createWorkerEngine({
    repository,
    workers,
    workerFile: new URL('./mortal-worker.ts', import.meta.url),
    onWorkerExit: () => {
      ended += 1;
    },
  });
  const killOldest = () => {
    const threadId = alive.shift();
    if (threadId !== undefined) channel.postMessage({ type: 'die', threadId } satisfies MortalMessage);
  };
  // Swaps of versions belong beside the kills, once the engine can load one while it serves.
  const disturbances = [{ times: kills, act: killOldest }];
  const counts = new Counts();
  try {
    const memory = await runLoad(engine, mixedLoad(texts, encoded), { seconds: minutes * 60, disturbances, counts });
    reportAnswers(report, counts, { kills, ended, pendingRows: engine.pendingRows() });
    reportMemory(report, memory);
  } finally {
    await engine.close();
    channel.close();
  }
}

function mixedLoad(texts: KnownRows, encoded: KnownRows): Caller[] {
  const times = (count: number, caller: Caller) => new Array<Caller>(count).fill(caller);
  return [
    ...times(16, { known: texts, rows: 1 }),
    ...times(2, { known: texts, rows: 100 }),
    ...times(4, { known: encoded, rows: 1 }),
    ...times(1, { known: encoded, rows: 40, lane: 'bulk' }),
    ...times(2, { known: texts, rows: 10, deadlineMs: 5 }),
    ...times(2, { known: encoded, rows: 2, abortMs: 3 }),
  ];
}

interface LoadOptions {
  readonly seconds: number;
  readonly disturbances: readonly { readonly times: number; act(): void }[];
  readonly counts: Counts;
}

type MemorySample = readonly [seconds: number, mebibytes: number];

async function runLoad(
  engine: InferenceEngine,
  callers: readonly Caller[],
  { seconds, disturbances, counts }: LoadOptions,
): Promise<MemorySample[]> {
  let isOver = false;
  const loop = async (caller: Caller, index: number) => {
    for (let first = index * 31; !isOver; first += caller.rows) {
      await callOnce(engine, caller, first, counts);
      // A caller that is refused at once must not call again at once, and never starve the rest.
      await (caller.deadlineMs === undefined ? new Promise(setImmediate) : pause(caller.deadlineMs));
    }
  };
  const loops = Promise.all(callers.map(loop));
  const timers = disturbances.flatMap(({ times, act }) =>
    Array.from({ length: times }, (_, at) => setTimeout(act, (seconds * 1_000 * (at + 1)) / (times + 1))),
  );
  const memory: MemorySample[] = [];
  const startedAt = performance.now();
  const elapsedSeconds = () => (performance.now() - startedAt) / 1_000;
  while (elapsedSeconds() < seconds) {
    await Promise.race([pause(Math.min(1_000, seconds * 20)), loops]);
    memory.push([elapsedSeconds(), process.memoryUsage.rss() / 2 ** 20]);
  }
  for (const timer of timers) clearTimeout(timer);
  isOver = true;
  await loops;
  return memory;
}

async function callOnce(engine: InferenceEngine, caller: Caller, first: number, counts: Counts): Promise<void> {
  const { known, rows, lane, deadlineMs, abortMs } = caller;
  const indexes = Array.from({ length: rows }, (_, at) => (first + at) % known.rows.length);
  const { model, version } = known.workload;
  const isAborted = abortMs !== undefined && counts.calls % 2 === 0;
  const request = { model, version, rows: indexes.map((index) => known.rows[index]!), lane, deadlineMs };
  const signal = isAborted ? AbortSignal.timeout(abortMs) : undefined;
  counts.calls += 1;
  const limit = new AbortController();
  try {
    const results = await Promise.race([
      engine.predict({ ...request, signal }),
      pause(answerLimitMs, null, { signal: limit.signal }),
    ]);
    if (results === null) counts.unanswered += 1;
    else if (results.length !== rows) counts.wrong += 1;
    else for (const [at, result] of results.entries()) countResult(counts, caller, indexes[at]!, result);
  } catch (error) {
    countFailure(counts, caller, error);
  } finally {
    limit.abort();
  }
}

function countResult(
  counts: Counts,
  caller: Caller,
  row: number,
  result: Awaited<ReturnType<InferenceEngine['predict']>>[number],
): void {
  if (result instanceof InferenceError) countFailure(counts, caller, result);
  else if (isRight(caller.known, row, result)) counts.right += 1;
  else counts.wrong += 1;
}

function countFailure(counts: Counts, { deadlineMs, abortMs }: Caller, error: unknown): void {
  const kind = error instanceof InferenceError ? error.kind : String(error);
  const isWanted =
    ((kind === 'timeout' || kind === 'overloaded') && deadlineMs !== undefined) ||
    (kind === 'aborted' && abortMs !== undefined);
  if (isWanted) counts.refused += 1;
  else counts.failed += 1;
  counts.reasons.set(kind, (counts.reasons.get(kind) ?? 0) + 1);
}

function reportAnswers(
  report: Report,
  counts: Counts,
  { kills, ended, pendingRows }: { kills: number; ended: number; pendingRows: number },
): void {
  const reasons = [...counts.reasons].map(([kind, count]) => `${kind} ${count}`).join(', ');
  report.figure(
    `${counts.calls.toLocaleString('en')} calls: ${counts.right.toLocaleString('en')} right rows, ${counts.refused.toLocaleString('en')} refusals as asked for (${reasons || 'none'})`,
  );
  report.check(`workers killed: ${ended}`, `${kills}`, ended === kills);
  report.check(`wrong answers: ${counts.wrong}`, '0', counts.wrong === 0 && counts.right > 0);
  const lost = counts.failed + counts.unanswered;
  report.check(`lost answers: ${counts.failed} failed, ${counts.unanswered} never came`, '0', lost === 0);
  report.check(`rows pending at the end: ${pendingRows}`, '0', pendingRows === 0);
}

// The first third fills caches and heaps.
function reportMemory(report: Report, memory: readonly MemorySample[]): void {
  const settled = memory.slice(Math.floor(memory.length / 3));
  const perMinute = slope(settled) * 60;
  const spanMinutes = (settled.at(-1)![0] - settled[0]![0]) / 60;
  const share = (perMinute * spanMinutes) / settled[0]![1];
  report.check(
    `RSS ${settled[0]![1].toFixed(0)} MiB after a third, ${settled.at(-1)![1].toFixed(0)} MiB at the end, slope ${perMinute.toFixed(1)} MiB/min, ${(share * 100).toFixed(1)} % over ${spanMinutes.toFixed(1)} min`,
    `<= ${growthTarget * 100} %`,
    share <= growthTarget,
  );
}
