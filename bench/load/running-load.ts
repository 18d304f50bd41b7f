import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { killAtExit } from '../../src/testing/undo-at-exit.ts';
import type { LoadOptions, Run, RunReport } from './run-report.ts';

export interface OpenLoop {
  /** One at a time. */
  run(phases: Run): Promise<RunReport>;
  stop(): void;
}

/** Starts the load's process; resolves when it knows its requests. */
export async function startOpenLoop(options: LoadOptions): Promise<OpenLoop> {
  const child = fork(fileURLToPath(new URL('./open-loop.ts', import.meta.url)));
  killAtExit(child);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the load ended with ${code}`);
  });
  ended.catch(() => {});
  const answer = async (message: LoadOptions | Run) => {
    child.send(message);
    const [answered] = await Promise.race([once(child, 'message'), ended]);
    return answered as unknown;
  };
  await answer(options);
  return {
    run: async (phases) => (await answer(phases)) as RunReport,
    stop: () => void child.kill(),
  };
}
