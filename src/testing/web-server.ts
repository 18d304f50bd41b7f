/** A server of several processes as its users see it, and clients that know which process they talk to. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export interface ServerRun {
  readonly child: ChildProcess;
  output(): string;
  /** Its exit code; null: a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Starts one with these settings beside those of this process. */
export function runServer(environment: Record<string, string>): ServerRun {
  const child = spawn(process.execPath, ['src/main.ts'], {
    env: { ...inherited(), NODE_ENV: 'development', PORT: '0', HOST: '127.0.0.1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  return { child, output: () => text, ended: once(child, 'close').then(([code]) => code as number | null) };
}

/**
 * Where it serves, once it does.
 * @throws when it ends before
 */
export async function originOf({ output, ended }: ServerRun): Promise<string> {
  let isOver = false;
  void ended.then(() => (isOver = true));
  for (;;) {
    const origin = /at (http:\/\/[\d.:]+)\/graphql/.exec(output());
    if (origin) return origin[1]!;
    if (isOver) throw new Error(`ended before it served:\n${output()}`);
    await pause(50);
  }
}

/** The pids of the processes that a process has started with this file, oldest first. */
export function processesOf(parent: number, file: string): number[] {
  const pids = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(file);
    } catch {
      return false;
    }
  });
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly data: Record<string, unknown> | null;
  /** The code of the first error. */
  readonly code: string | undefined;
  /** This side of the connection. */
  readonly localPort: number;
}

/** One connection that is kept, unless an agent says otherwise. */
export class Client {
  readonly #origin: string;
  readonly #agent: Agent | false;

  constructor(origin: string, agent: Agent | false = new Agent({ keepAlive: true, maxSockets: 1 })) {
    this.#origin = origin;
    this.#agent = agent;
  }

  get(path: string): Promise<Reply> {
    return this.#send(path, 'GET');
  }

  ask(query: string): Promise<Reply> {
    return this.#send('/graphql', 'POST', JSON.stringify({ query }));
  }

  close(): void {
    if (this.#agent) this.#agent.destroy();
  }

  #send(path: string, method: string, body?: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...(body && { 'content-type': 'application/json' }),
        ...(!this.#agent && { connection: 'close' }),
      };
      const sent = httpRequest(`${this.#origin}${path}`, { method, agent: this.#agent, headers }, (response) => {
        const { localPort = 0 } = response.socket as Socket;
        let text = '';
        response.setEncoding('utf8').on('data', (part) => (text += part));
        response.on('error', reject);
        response.on('end', () => {
          const isJson = response.headers['content-type']?.includes('json');
          const { data = null, errors } = isJson ? JSON.parse(text) : {};
          const code = errors?.[0].extensions.code;
          resolve({ status: response.statusCode!, headers: response.headers, text, data, code, localPort });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

/** Which of these processes has the other side of a connection; undefined: none of them. */
export function holderOf(serverPort: number, localPort: number, pids: readonly number[]): number | undefined {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  const row = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, local, remote]) => local?.endsWith(`:${hex(serverPort)}`) && remote?.endsWith(`:${hex(localPort)}`));
  const socket = `socket:[${row?.[9]}]`;
  return pids.find((pid) => socketsOf(pid).includes(socket));
}

/** What the descriptors of a process are. */
function socketsOf(pid: number): (string | null)[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

/** A client of each of these processes, in their order. */
export async function clientsOf(origin: string, pids: readonly number[]): Promise<Client[]> {
  const clients = new Map<number, Client>();
  for (let tries = 0; clients.size < pids.length && tries < 50; tries++) {
    const client = new Client(origin);
    const { localPort } = await client.get('/healthz');
    const pid = holderOf(Number(new URL(origin).port), localPort, pids);
    if (pid === undefined || clients.has(pid)) client.close();
    else clients.set(pid, client);
  }
  return pids.map((pid) => clients.get(pid)!);
}

/** A figure of a page of /metrics by its name and labels; 0: it is not there. */
export function figure(page: string, name: string): number {
  const line = page.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

function inherited(): NodeJS.ProcessEnv {
  return process.env;
}
