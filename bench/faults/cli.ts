import { leavingClients, slowClients } from './client-faults.ts';
import {
  freezePostgres,
  killBetweenCommitAndAnswer,
  killPostgres,
  shortStatementsAtStart,
  shortStatementsLater,
  smallPool,
} from './database-faults.ts';
import { freezeRedis, killRedis, killWorkers, redisComesLater } from './part-faults.ts';
import { hasHaproxy, rollingRestart, uncaughtError } from './restart-faults.ts';
import { createWorld, type Figures, type World } from './world.ts';

const recoveryLimitSeconds = 2;

const faults: Record<string, (world: World) => Promise<Figures>> = {
  'postgres-killed': killPostgres,
  'postgres-frozen': freezePostgres,
  'statement-timeout-at-start': shortStatementsAtStart,
  'statement-timeout-later': shortStatementsLater,
  'redis-killed': killRedis,
  'redis-frozen': freezeRedis,
  'redis-comes-later': redisComesLater,
  'inference-workers-killed': killWorkers,
  'pool-of-2-with-500-clients': smallPool,
  'clients-leave': leavingClients,
  'slow-headers-and-bodies': slowClients,
  'killed-between-commit-and-answer': killBetweenCommitAndAnswer,
  'uncaught-error': uncaughtError,
  'rolling-restart': rollingRestart,
};

/**
 * Breaks each part of a running server under load from a second process, and counts what became of requests and writes.
 * Fails when an acknowledged write is missing or made twice, a process of ours ends, or the recovery takes over 2 s.
 */
export async function benchFaults(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => faults[name] === undefined);
  if (unknown.length > 0) {
    console.error(`no fault ${unknown.join(', ')}: expected some of ${Object.keys(faults).join(', ')}`);
    process.exitCode = 1;
    return;
  }
  const world = await createWorld();
  let isGood = true;
  try {
    for (const [name, run] of Object.entries(faults)) {
      if (names.length > 0 && !names.includes(name)) continue;
      if (name === 'rolling-restart' && !hasHaproxy()) {
        console.log(`${name}: left out, haproxy is not installed`);
        continue;
      }
      isGood = report(await run(world)) && isGood;
    }
  } finally {
    await world.close();
  }
  if (!isGood) process.exitCode = 1;
}

function report(figures: Figures): boolean {
  const { fault, requests, outcomes, acknowledged, found, duplicates, doneUnanswered, crashes } = figures;
  const listed = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
  const recovery = figures.recoverySeconds === null ? '' : `, recovered in ${figures.recoverySeconds.toFixed(1)} s`;
  console.log(`${fault}: ${requests} requests, slowest ${figures.slowestSeconds.toFixed(1)} s${recovery}`);
  console.log(`  outcomes: ${listed.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  console.log(
    `  writes: ${acknowledged} acknowledged, ${found} found, ${duplicates} twice, ${doneUnanswered} done though unanswered; crashes: ${crashes}`,
  );
  const { asked, failed, p95Ms } = figures.health;
  console.log(`  health checks: ${asked}, ${failed} failed, p95 ${p95Ms.toFixed(0)} ms`);
  for (const complaint of figures.complaints) console.log(`  WRONG: ${complaint}`);
  const isLate = (figures.recoverySeconds ?? 0) > recoveryLimitSeconds;
  if (isLate) console.log(`  WRONG: expected at most ${recoveryLimitSeconds} s to recover`);
  return found === acknowledged && duplicates === 0 && crashes === 0 && !isLate && figures.complaints.length === 0;
}
