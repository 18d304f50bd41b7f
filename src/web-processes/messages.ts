/** What the primary and the processes that it has started tell each other. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Registry } from 'prom-client';
import type { ShutdownReason } from '../shutdown.ts';

/** All figures of a process. */
export type Figures = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

export type FromPrimary =
  | { type: 'end'; reason: ShutdownReason }
  | { type: 'figures-wanted' }
  /** The figures of all processes in the text that Prometheus reads; null: they could not be gathered. */
  | { type: 'page'; id: number; text: string | null };

export type ToPrimary =
  /** Of the inference process; node:cluster says it of web processes. */
  { type: 'serving' } | { type: 'figures'; figures: Figures } | { type: 'page-wanted'; id: number };

/** Tells a process something; one that has gone is told nothing. */
export function tell(child: ChildProcess, message: FromPrimary): void {
  // It may go between the check and the write, whose error comes to the callback.
  if (child.connected) child.send(message, () => {});
}

/** How a process ended. */
export interface End {
  readonly pid: number | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Calls the listener once when the process has ended, or could not be started. */
export function onEnd(child: ChildProcess, listener: (end: End) => void): void {
  child.once('exit', (code, signal) => listener({ pid: child.pid, code, signal }));
  // Others say that a message could not be sent, to one that is about to end.
  child.on('error', () => {
    if (child.pid === undefined) listener({ pid: undefined, code: null, signal: null });
  });
}

/** Tells a process to end, and resolves when it has: killed when it takes longer than so many milliseconds. */
export async function endProcess(child: ChildProcess, reason: ShutdownReason, limitMs: number): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  tell(child, { type: 'end', reason });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  await ended;
  clearTimeout(timer);
}

/** A process that the start waits for ended before it served; it has printed why. */
export class EndedAtStart extends Error {
  override readonly name = 'EndedAtStart';
}
