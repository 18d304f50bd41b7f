/** Varnish and nginx of a test: real, with the configurations of deploy/cdn, on free ports of loopback. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePort } from './free-port.ts';
import { undoAtExit } from './undo-at-exit.ts';

export interface TestEdge {
  /** Such as http://127.0.0.1:41234. */
  readonly origin: string;
  /** Stops its work with SIGSTOP: connections stay, nothing answers. */
  freeze(): void;
  thaw(): void;
  /** Ends its work as a crash does, and waits for the end; what it kept is lost. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const configurations = new URL('../../deploy/cdn/', import.meta.url);

/** Whether this machine has Varnish with vmod xkey; says why tests are skipped when it has not. */
export function hasVarnish(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-varnish-'));
  const vcl = new URL('varnish.vcl', configurations).pathname;
  const { error, status, stderr } = spawnSync('varnishd', ['-C', '-f', vcl, '-n', folder], { encoding: 'utf8' });
  rmSync(folder, { recursive: true, force: true });
  if (error) console.warn('Tests with Varnish are skipped: varnishd is not installed');
  // The generated C comes on the same stream; an error of the configuration is for the tests to meet.
  else if (status !== 0 && /Could not find VMOD xkey/i.test(stderr)) {
    console.warn('Tests with Varnish are skipped: vmod xkey (varnish-modules) is not installed');
    return false;
  }
  return !error;
}

/** Whether this machine has nginx; says why tests are skipped when it has not. */
export function hasNginx(): boolean {
  const isThere = !spawnSync('nginx', ['-v']).error;
  if (!isThere) console.warn('Tests with nginx are skipped: nginx is not installed');
  return isThere;
}

export interface VarnishOptions {
  /** What it asks the purgers for. Default: nothing. */
  token?: string;
  /** Texts of the configuration, and what stands there instead. */
  replacements?: readonly (readonly [string, string])[];
}

/** Varnish in front of a server on a port of loopback. */
export function startTestVarnish(
  serverPort: number,
  { token = '', replacements = [] }: VarnishOptions = {},
): Promise<TestEdge> {
  return startEdge({ CDN_PURGE_TOKEN: token }, (port, folder) => {
    const vcl = join(folder, 'varnish.vcl');
    const ownPort = ['.port = "4000"', `.port = "${serverPort}"`] as const;
    writeFileSync(vcl, configuration('varnish.vcl', [ownPort, ...replacements]));
    const listen = ['-a', `127.0.0.1:${port}`, '-f', vcl, '-n', join(folder, 'work'), '-s', 'malloc,64m'];
    return ['varnishd', '-F', ...listen];
  });
}

/** nginx in front of a server on a port of loopback. */
export function startTestNginx(serverPort: number): Promise<TestEdge> {
  return startEdge({}, (port, folder) => {
    const file = join(folder, 'nginx.conf');
    const text = configuration('nginx.conf', [
      ['127.0.0.1:4000', `127.0.0.1:${serverPort}`],
      ['listen 8080', `listen 127.0.0.1:${port}`],
      ['/run/nginx-tributary', join(folder, 'nginx')],
      ['/var/cache/nginx/tributary', join(folder, 'cache')],
    ]);
    writeFileSync(file, text);
    return ['nginx', '-c', file, '-p', folder, '-e', 'stderr', '-g', 'daemon off;'];
  });
}

function configuration(name: string, replacements: readonly (readonly [string, string])[]): string {
  let text = readFileSync(new URL(name, configurations), 'utf8');
  for (const [found, replacement] of replacements) {
    if (!text.includes(found)) throw new Error(`${name}: expected ${found} in it`);
    text = text.replaceAll(found, replacement);
  }
  return text;
}

async function startEdge(
  environment: Record<string, string>,
  commandOf: (port: number, folder: string) => string[],
): Promise<TestEdge> {
  const port = await findFreePort();
  const folder = mkdtempSync(join(tmpdir(), 'tributary-edge-'));
  // Started by root they go on as users of their own.
  chmodSync(folder, 0o755);
  const [command, ...args] = commandOf(port, folder) as [string, ...string[]];
  const launch = () => launchEdge(command, args, { port, environment });
  let master = await launch().catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  // Workers are processes of their own, in the group of the master.
  const signal = (name: NodeJS.Signals) => {
    if (master.exitCode === null && master.signalCode === null) process.kill(-master.pid!, name);
  };
  const cancelUndo = undoAtExit(() => signal('SIGKILL'));
  const kill = async () => {
    if (master.exitCode !== null || master.signalCode !== null) return;
    const ended = once(master, 'exit');
    signal('SIGKILL');
    await ended;
  };
  return {
    origin: `http://127.0.0.1:${port}`,
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    kill,
    async start() {
      await kill();
      master = await launch();
    },
    async stop() {
      cancelUndo();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function launchEdge(
  command: string,
  args: readonly string[],
  { port, environment }: { port: number; environment: Record<string, string> },
): Promise<ChildProcess> {
  const edge = spawn(command, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let errors = '';
  edge.stderr!.on('data', (part) => {
    errors = (errors + part).slice(-10_000);
  });
  for (let tries = 0; tries < 1_000; tries++) {
    if (edge.exitCode !== null) throw new Error(`${command} ended with ${edge.exitCode}:\n${errors}`);
    if (await isListening(port)) return edge;
    await delay(20);
  }
  process.kill(-edge.pid!, 'SIGKILL');
  throw new Error(`${command} does not listen on port ${port} after 20 s:\n${errors}`);
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => finish(true));
    const finish = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('error', () => finish(false));
  });
}
