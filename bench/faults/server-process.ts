import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { killAtExit } from '../../src/testing/undo-at-exit.ts';

export interface ServerProcess {
  readonly origin: string;
  readonly pid: number;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  isRunning(): boolean;
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and kill -9 when it does not end within 30 s. */
  stop(): Promise<number | NodeJS.Signals | null>;
}

const startLimitMs = 60_000;
const ownRoot = fileURLToPath(new URL('../..', import.meta.url));
const preload = new URL('./preload.ts', import.meta.url).href;

/**
 * The server as a process of its own, with the switches of preload.ts; resolves when it is ready.
 * @param root the folder of the project, for another version of it
 */
export async function startServer(
  port: number,
  environment: Record<string, string>,
  root = ownRoot,
): Promise<ServerProcess> {
  const child = spawn(process.execPath, ['--import', preload, 'src/main.ts'], {
    cwd: root,
    // Two arenas as by launch.mjs, through which users start it.
    env: { HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'warn', MALLOC_ARENA_MAX: '2', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  killAtExit(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      output = (output + part).slice(-100_000);
    });
  }
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const origin = `http://127.0.0.1:${port}`;
  const until = performance.now() + startLimitMs;
  for (;;) {
    if (!isRunning() || performance.now() > until) throw new Error(`the server did not start:\n${output}`);
    if (await isReady(origin)) break;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return {
    origin,
    pid: child.pid!,
    ended,
    isRunning,
    output: () => output,
    signal: (name) => void child.kill(name),
    async stop() {
      child.kill('SIGTERM');
      const limit = setTimeout(() => child.kill('SIGKILL'), 30_000);
      const end = await ended;
      clearTimeout(limit);
      return end;
    },
  };
}

/** Whether /readyz says so. */
export async function isReady(origin: string): Promise<boolean> {
  try {
    return (await fetch(`${origin}/readyz`, { signal: AbortSignal.timeout(2_000) })).status === 200;
  } catch {
    return false;
  }
}
