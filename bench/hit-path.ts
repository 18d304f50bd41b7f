/** What is answered from the cache, against a bare node:http server that sends the same bytes. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { findFreePort } from '../src/testing/free-port.ts';
import { startServer } from './faults/server-process.ts';
import { createWorld } from './faults/world.ts';
import { createReport } from './inference/report.ts';
import { median } from './statistics.ts';

const connections = 32;
const rounds = 3;
const query = '{ features(first: 10) { nodes { id name status owner { name } testSummary { passed total } } } }';
const targets = { GET: 0.6, POST: 0.4 } as const;

type Method = keyof typeof targets;

export async function benchHitPath({ seconds }: { seconds: number }): Promise<void> {
  const report = createReport();
  const world = await createWorld();
  try {
    const { REDIS_URL: redisUrl, ...alone } = world.environment;
    const settings = { ...alone, RESPONSE_CACHE_BYTES: String(2 ** 26) };
    report.title(`A page of 10 features from the cache, ${connections} connections, server and load on a core each`);
    await measure('one process', settings, { seconds, report });
    await measure('with Redis', { ...settings, REDIS_URL: redisUrl! }, { seconds, report });
  } finally {
    await world.close();
  }
}

async function measure(
  label: string,
  environment: Record<string, string>,
  { seconds, report }: { seconds: number; report: ReturnType<typeof createReport> },
): Promise<void> {
  const server = await startServer(await findFreePort(), environment);
  pin(server.pid);
  const request = { query };
  const url = `${server.origin}/graphql`;
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  const first = await fetch(url, { method: 'POST', headers, body: JSON.stringify(request) });
  const constant = await startConstantServer(await first.text());
  try {
    for (const method of ['GET', 'POST'] as const) {
      const cached = method === 'GET' ? `${url}?${new URLSearchParams(request)}` : url;
      const body = method === 'POST' ? { body: JSON.stringify(request) } : {};
      const figures: { ratio: number; rate: number; p99Ms: number }[] = [];
      for (let round = 0; round < rounds; round++) {
        const own = await load({ url: cached, method, headers, ...body }, seconds);
        const limit = await load({ url: constant.url, method, headers, ...body }, seconds);
        figures.push({ ratio: own.rate / limit.rate, rate: own.rate, p99Ms: own.p99Ms });
      }
      const ratio = median(figures.map((figure) => figure.ratio));
      const rate = Math.round(median(figures.map((figure) => figure.rate))).toLocaleString('en');
      const p99Ms = median(figures.map((figure) => figure.p99Ms));
      report.check(
        `${label}, ${method}: ${rate} req/s, ${ratio.toFixed(2)} of constant bytes, p99 ${p99Ms} ms`,
        `>= ${targets[method]}`,
        ratio >= targets[method as Method],
      );
    }
  } finally {
    constant.child.kill();
    await server.stop();
  }
}

async function load(options: autocannon.Options, seconds: number): Promise<{ rate: number; p99Ms: number }> {
  const { requests, latency, non2xx, errors } = await autocannon({ ...options, connections, duration: seconds });
  if (non2xx + errors > 0) throw new Error(`${non2xx} answers that are not 2xx, ${errors} errors`);
  return { rate: requests.average, p99Ms: latency.p99 };
}

async function startConstantServer(body: string): Promise<{ child: ChildProcess; url: string }> {
  const file = fileURLToPath(new URL('./constant-server.ts', import.meta.url));
  const child = spawn(process.execPath, [file, body], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = await once(child.stdout!, 'data');
  pin(child.pid!);
  return { child, url: `http://127.0.0.1:${String(port).trim()}/` };
}

/** Servers on the first core, this process on the last; nothing happens where that cannot be said. */
function pin(pid: number): void {
  try {
    execFileSync('taskset', ['-apc', '0', String(pid)], { stdio: 'ignore' });
    execFileSync('taskset', ['-apc', String(availableParallelism() - 1), String(process.pid)], { stdio: 'ignore' });
  } catch {
    console.warn('taskset is not there: the server shares its core with the load');
  }
}
