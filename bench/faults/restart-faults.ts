import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findFreePort } from '../../src/testing/free-port.ts';
import { isReady, type ServerProcess, startServer } from './server-process.ts';
import { type Figures, underLoad, type World } from './world.ts';

/** An error that nobody catches: the process drains, then ends with 1; no request that it had taken is lost. */
export async function uncaughtError(world: World): Promise<Figures> {
  let second: ServerProcess | null = null;
  let end: unknown;
  const figures = await underLoad(world, {
    fault: 'uncaught-error',
    act: async (server) => {
      server.signal('SIGPWR');
      end = await server.ended;
      second = await startServer(Number(new URL(server.origin).port), world.environment);
      return Date.now();
    },
  });
  await (second as ServerProcess | null)?.stop();
  const lost = Object.keys(figures.outcomes).filter((name) => name !== 'ok' && name !== 'socket ECONNREFUSED');
  const complaints = [
    ...(end === 1 ? [] : [`it ended with ${end}: expected 1`]),
    ...lost.map((name) => `${figures.outcomes[name]} requests ended with ${name}`),
  ];
  return { ...figures, crashes: 0, complaints };
}

export function hasHaproxy(): boolean {
  return spawnSync('haproxy', ['-v']).status === 0;
}

/** Two processes behind haproxy are ended and started in turns, three times each; no request may fail. */
export async function rollingRestart(world: World): Promise<Figures> {
  const ports = [await findFreePort(), await findFreePort()] as const;
  const environment = { ...world.environment, DRAIN_DELAY_MS: '1000' };
  const servers = await Promise.all(ports.map((port) => startServer(port, environment)));
  const proxy = await startHaproxy(ports);
  const ends: unknown[] = [];
  try {
    const figures = await underLoad(world, {
      fault: 'rolling-restart',
      origin: () => proxy.origin,
      act: async () => {
        for (let round = 0; round < 6; round += 1) {
          const index = round % 2;
          ends.push(await servers[index]!.stop());
          servers[index] = await startServer(ports[index]!, environment);
          await pause(1_000);
        }
        return Date.now();
      },
    });
    const failed = Object.entries(figures.outcomes).filter(([name]) => name !== 'ok');
    const complaints = [
      ...ends.filter((end) => end !== 0).map((end) => `a process ended with ${end}: expected 0`),
      ...failed.map(([name, count]) => `${count} requests ended with ${name}`),
    ];
    return { ...figures, complaints: [...figures.complaints, ...complaints] };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await proxy.stop();
  }
}

async function startHaproxy(ports: readonly number[]): Promise<{ origin: string; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-haproxy-'));
  const port = await findFreePort();
  const servers = ports.map((to, index) => `  server s${index} 127.0.0.1:${to} check inter 200ms fall 1 rise 1`);
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    `defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  option redispatch
frontend web
  bind 127.0.0.1:${port}
  default_backend servers
backend servers
  option httpchk GET /readyz
  balance roundrobin
${servers.join('\n')}
`,
  );
  const child: ChildProcess = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  const origin = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 200 && !(await isReady(origin)); attempt += 1) await pause(50);
  return {
    origin,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
