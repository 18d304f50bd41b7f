/** Mixed load while versions are swapped and workers die: every answer is compared with the right one. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BroadcastChannel, type Worker } from 'node:worker_threads';
import { createWorkerEngine, type WorkerEngine } from '../../src/inference/worker-engine.ts';
import { slope } from '../statistics.ts';
import { answerRows, type KnownRows } from './known-rows.ts';
import type { DieMessage } from './mortal-worker.ts';
import type { Report } from './report.ts';
import { Counts, callUntil, mixedLoad } from './soak-load.ts';
import { type SwappedVersions, writeSwappedVersions } from './soak-versions.ts';
import type { Workloads } from './workload.ts';

const killsAtMost = 20;
const swapsAtMost = 50;
// Not one every few tenths of a second in a short soak: a batch that loses two workers fails, as it should, and so does a
// call of a version that was swapped away twice since.
const killsPerMinute = 20;
const swapsPerMinute = 50;
// Two, so that the batch of a dying one has another to go to.
const workers = 2;
const knownSentimentRows = 2_000;
const knownEncoderRows = 500;
const growthTarget = 0.1;
// Old threads end ten seconds after the last swap, and when nothing waits for them any more.
const retiredWithinMs = 20_000;

/** No lost and no wrong answer over minutes of load with 50 swaps and 20 dead workers, and what they leave behind. */
export async function benchSoak(workloads: Workloads, minutes: number, report: Report): Promise<void> {
  report.title(`Soak: ${minutes} min of mixed load, ${workers} worker threads`);
  const directory = mkdtempSync(join(tmpdir(), 'tributary-soak-'));
  try {
    const swapped = writeSwappedVersions(directory, workloads.repository);
    const texts = await answerRows(workloads.sentiment, knownSentimentRows, swapped.files);
    const encoded = await answerRows(workloads.small, knownEncoderRows);
    await soak({ workloads, swapped, texts, encoded, minutes }, report);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

interface Soak {
  readonly workloads: Workloads;
  readonly swapped: SwappedVersions;
  readonly texts: KnownRows;
  readonly encoded: KnownRows;
  readonly minutes: number;
}

async function soak({ workloads, swapped, texts, encoded, minutes }: Soak, report: Report): Promise<void> {
  const kills = Math.max(1, Math.min(killsAtMost, Math.floor(minutes * killsPerMinute)));
  const swaps = Math.max(1, Math.min(swapsAtMost, Math.floor(minutes * swapsPerMinute)));
  const threads = watchThreads();
  const engine = await createWorkerEngine({
    repository: workloads.repository,
    workers,
    workerFile: new URL('./mortal-worker.ts', import.meta.url),
  });
  const before = { threads: threads.alive().length, handles: countHandles() };
  const swapper = createSwapper(engine, swapped);
  const disturbances = [
    { times: kills, act: () => threads.kill(swapper.isSwapping()) },
    { times: swaps, act: () => swapper.swap() },
  ];
  const counts = new Counts();
  try {
    const seconds = minutes * 60;
    const memory = await disturb(seconds, disturbances, (isOver) =>
      callUntil(isOver, engine, mixedLoad(texts, encoded), counts),
    );
    reportAnswers(report, counts);
    report.check(`workers killed: ${threads.killed()}`, `${kills}`, threads.killed() === kills);
    report.check(`swaps: ${swapper.done()}, files asked: ${counts.files.size}`, `${swaps}`, swapper.done() === swaps);
    report.check(`rows pending at the end: ${engine.pendingRows()}`, '0', engine.pendingRows() === 0);
    reportMemory(report, memory);
    const retiring = threads.alive().length;
    await untilRetired(() => threads.alive().length <= before.threads);
    const after = { threads: threads.alive().length, handles: countHandles() };
    report.check(`threads: ${retiring}, then ${after.threads}`, `${workers}`, after.threads === workers);
    const leaked = after.handles - before.handles;
    report.check(`handles: ${before.handles} before, ${after.handles} after`, 'no more', leaked <= 0);
  } finally {
    await engine.close();
    threads.close();
  }
}

/** Knows the threads that live, and ends one as a crash would. */
function watchThreads() {
  const alive: Worker[] = [];
  const watch = (worker: Worker) => {
    alive.push(worker);
    worker.once('exit', () => alive.splice(alive.indexOf(worker), 1));
  };
  process.on('worker', watch);
  const channel = new BroadcastChannel('tributary-soak');
  let killed = 0;
  // In turns one of the oldest threads, which may be retired already, and of the newest, unless they are loading.
  const kill = (isLoading: boolean) => {
    const victim = killed % 2 === 0 || isLoading ? alive[0]! : alive.at(-1)!;
    victim.once('exit', (code) => {
      if (code === 0)
        kill(isLoading); // it was about to end anyway
      else killed += 1;
    });
    channel.postMessage({ threadId: victim.threadId } satisfies DieMessage);
  };
  return {
    alive: () => alive,
    killed: () => killed,
    kill,
    close() {
      process.off('worker', watch);
      channel.close();
    },
  };
}

function createSwapper(engine: WorkerEngine, { repositories }: SwappedVersions) {
  let asked = 0;
  let done = 0;
  return {
    done: () => done,
    isSwapping: () => asked > done,
    swap() {
      const repository = repositories[asked % repositories.length]!;
      asked += 1;
      // One that fails is missed in the count.
      engine.swap(repository).then(
        () => {
          done += 1;
        },
        (error: Error) => console.error(error.message),
      );
    },
  };
}

type MemorySample = readonly [seconds: number, mebibytes: number];

/** Runs the load for so long, with each disturbance so many times at equal distances; answers RSS at each second. */
async function disturb(
  seconds: number,
  disturbances: readonly { readonly times: number; act(): void }[],
  load: (isOver: () => boolean) => Promise<void>,
): Promise<MemorySample[]> {
  let isOver = false;
  const loaded = load(() => isOver);
  const timers = disturbances.flatMap(({ times, act }) =>
    Array.from({ length: times }, (_, at) => setTimeout(act, (seconds * 1_000 * (at + 1)) / (times + 1))),
  );
  const memory: MemorySample[] = [];
  const startedAt = performance.now();
  const elapsedSeconds = () => (performance.now() - startedAt) / 1_000;
  while (elapsedSeconds() < seconds) {
    await Promise.race([pause(Math.min(1_000, seconds * 20)), loaded]);
    memory.push([elapsedSeconds(), process.memoryUsage.rss() / 2 ** 20]);
  }
  for (const timer of timers) clearTimeout(timer);
  isOver = true;
  await loaded;
  return memory;
}

/** Open files of this process and what keeps its loop alive; timers, which come and go, aside. */
function countHandles(): number {
  const resources = process.getActiveResourcesInfo().filter((name) => name !== 'Timeout' && name !== 'Immediate');
  return resources.length + (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);
}

async function untilRetired(isRetired: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!isRetired() && performance.now() - startedAt < retiredWithinMs) await pause(100);
}

function reportAnswers(report: Report, counts: Counts): void {
  const reasons = [...counts.reasons].map(([kind, count]) => `${kind} ${count}`).join(', ');
  const shown = (count: number) => count.toLocaleString('en');
  report.figure(
    `${shown(counts.calls)} calls, ${shown(counts.late)} of versions retired meanwhile: ${shown(counts.right)} right rows, ${shown(counts.refused)} refusals as asked for (${reasons || 'none'})`,
  );
  report.check(`wrong answers: ${counts.wrong}`, '0', counts.wrong === 0 && counts.right > 0);
  const lost = counts.failed + counts.unanswered;
  report.check(`lost answers: ${counts.failed} failed, ${counts.unanswered} never came`, '0', lost === 0);
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
