import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { killAtExit } from '../../src/testing/undo-at-exit.ts';
import type { FromLoad, LoadOptions, LoadReport, Outcome, Tick } from './outcome.ts';

export interface RunningLoad {
  readonly ticks: readonly Tick[];
  /** Lets the requests under way end, then tries again what was not acknowledged. */
  stop(): Promise<LoadReport>;
}

/** Starts the load in a process of its own. */
export function startLoad(options: LoadOptions): RunningLoad {
  const child = fork(fileURLToPath(new URL('./load.ts', import.meta.url)), [JSON.stringify(options)]);
  killAtExit(child);
  const ticks: Tick[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<LoadReport>();
  child.on('message', (message: FromLoad) => {
    if (message.type === 'tick') ticks.push(message.tick);
    else resolve(message.report);
  });
  child.on('exit', (code) => reject(new Error(`the load ended before its report, with ${code}`)));
  promise.catch(() => {});
  return {
    ticks,
    stop() {
      child.send('stop');
      return promise;
    },
  };
}

/** All outcomes with their counts. */
export function totalOf(ticks: readonly Tick[]): Record<Outcome, number> {
  const total: Record<Outcome, number> = {};
  for (const { outcomes } of ticks) {
    for (const [outcome, count] of Object.entries(outcomes)) total[outcome] = (total[outcome] ?? 0) + count;
  }
  return total;
}

/** Seconds from a moment to the end of the last 100 ms in which something failed; 0: nothing did. */
export function secondsToRecover(ticks: readonly Tick[], since: number): number {
  const failing = ticks.filter(({ at, outcomes }) => at > since && Object.keys(outcomes).some((name) => name !== 'ok'));
  return failing.length === 0 ? 0 : (failing.at(-1)!.at - since) / 1000;
}
