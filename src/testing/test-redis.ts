import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePort } from './free-port.ts';
import { undoAtExit } from './undo-at-exit.ts';

/** A redis-server of a test: real, empty, on a free port of loopback, without files. */
export interface TestRedis {
  readonly url: string;
  readonly pid: number;
  /** Stops its work with SIGSTOP: connections stay, nothing answers. */
  freeze(): void;
  thaw(): void;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty, and waits until it answers. */
  start(): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/** Whether this machine has redis-server; says once why tests are skipped when it has none. */
export function hasRedisServer(): boolean {
  const isThere = spawnSync('redis-server', ['--version']).status === 0;
  if (!isThere) console.warn('Tests with Redis are skipped: redis-server is not installed');
  return isThere;
}

/** Starts one on a port given, or a free one, and waits until it answers. */
export async function startTestRedis(port?: number): Promise<TestRedis> {
  const chosenPort = port ?? (await findFreePort());
  let server = await launch(chosenPort);
  const cancelUndo = undoAtExit(() => server.kill('SIGKILL'));
  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  };
  return {
    url: `redis://127.0.0.1:${chosenPort}`,
    get pid() {
      return server.pid!;
    },
    freeze: () => void server.kill('SIGSTOP'),
    thaw: () => void server.kill('SIGCONT'),
    kill,
    async start() {
      await kill();
      server = await launch(chosenPort);
    },
    async stop() {
      cancelUndo();
      await kill();
    },
  };
}

async function launch(port: number): Promise<ChildProcess> {
  const options = { bind: '127.0.0.1', port, save: '', appendonly: 'no', dir: tmpdir() };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = spawn('redis-server', args, { stdio: 'ignore' });
  for (let tries = 0; tries < 500; tries++) {
    if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode} on port ${port}`);
    if (await answersPing(port)) return server;
    await delay(10);
  }
  server.kill('SIGKILL');
  throw new Error(`redis-server does not answer on port ${port} after 5 s`);
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const finish = (isUp: boolean) => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once('data', (data) => finish(data.toString().startsWith('+PONG')));
    socket.once('error', () => finish(false));
    socket.setTimeout(1_000, () => finish(false));
  });
}
