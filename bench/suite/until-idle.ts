import { setTimeout as pause } from 'node:timers/promises';
import { cpuSeconds } from '../process-cpu.ts';

/** Of a core. */
const idleShare = 0.03;
const limitMs = 600_000;

/**
 * A server that has just started embeds documents, and the more there are the longer.
 * @throws Error when it does not end
 */
export async function untilIdle(pid: number): Promise<void> {
  const untilMs = performance.now() + limitMs;
  for (;;) {
    const before = cpuSeconds(pid);
    await pause(1_000);
    // NaN where it cannot be known.
    if (!(cpuSeconds(pid) - before > idleShare)) return;
    if (performance.now() > untilMs) throw new Error(`the server was not idle within ${limitMs / 1_000} s`);
  }
}
