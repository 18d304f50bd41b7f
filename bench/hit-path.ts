/** What is answered from the cache, against constant bytes from a bare node:http server and against the stock cache. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { sha256Of } from '../src/http/trusted-documents/manifest.ts';
import { findFreePort } from '../src/testing/free-port.ts';
import { killAtExit } from '../src/testing/undo-at-exit.ts';
import { startServer } from './faults/server-process.ts';
import { createWorld, type World } from './faults/world.ts';
import { createReport } from './inference/report.ts';
import { cpuSeconds, loadCore, pin, serverCore } from './process-cpu.ts';
import { median } from './statistics.ts';

const connections = 32;
const rounds = 5;
/** Before the first round, for the compiler. */
const warmUpSeconds = 2;
const query = '{ features(first: 10) { nodes { id name status owner { name } testSummary { passed total } } } }';
const documentId = sha256Of(query);
const targets = { GET: 0.6, POST: 0.4 } as const;
const stockTarget = 4;

type Method = keyof typeof targets;
type Report = ReturnType<typeof createReport>;

export async function benchHitPath({ seconds }: { seconds: number }): Promise<void> {
  const report = createReport();
  const world = await createWorld();
  try {
    const trusted = join(world.environment.DATA_DIR!, 'trusted-documents.json');
    writeFileSync(trusted, JSON.stringify({ [documentId]: query }));
    const { REDIS_URL: redisUrl, ...alone } = world.environment;
    const settings = { ...alone, RESPONSE_CACHE_BYTES: String(2 ** 26), TRUSTED_DOCUMENTS_PATH: trusted };
    report.title(`A page of 10 features from the cache, ${connections} connections, server and load on a core each`);
    await measure('one process', settings, { world, seconds, report });
    await measure('with Redis', { ...settings, REDIS_URL: redisUrl! }, { world, seconds, report });
  } finally {
    await world.close();
  }
}

/** A server under load. */
interface Side {
  pid: number;
  get: string;
  post: string;
}

interface Figures {
  rate: number;
  p99Ms: number;
  cpuMicroseconds: number;
}

async function measure(
  label: string,
  environment: Record<string, string>,
  { world, seconds, report }: { world: World; seconds: number; report: Report },
): Promise<void> {
  const server = await startServer(await findFreePort(), environment);
  const graphql = `${server.origin}/graphql`;
  const children: ChildProcess[] = [];
  const start = async (file: string, argument: string): Promise<Side> => {
    const { child, url } = await startPlainServer(file, argument);
    children.push(child);
    return { pid: child.pid!, get: `${url}graphql?${new URLSearchParams({ query })}`, post: `${url}graphql` };
  };
  try {
    const own: Side = { pid: server.pid, get: `${graphql}/${documentId}`, post: graphql };
    const constant = await start('constant-server.ts', await (await fetch(own.get)).text());
    const stock = await start('stock-cache-server.ts', world.postgres.url);
    pin(process.pid, loadCore);
    for (const { pid } of [own, constant, stock]) pin(pid, serverCore);
    for (const method of ['GET', 'POST'] as const) {
      for (const side of [own, constant, stock]) await load(side, method, warmUpSeconds);
      const runs: { own: Figures; constant: Figures; stock: Figures }[] = [];
      for (let round = 0; round < rounds; round++) {
        runs.push({
          own: await load(own, method, seconds),
          constant: await load(constant, method, seconds),
          stock: await load(stock, method, seconds),
        });
      }
      reportRuns(report, `${label}, ${method}`, method, runs);
    }
  } finally {
    for (const child of children) child.kill();
    await server.stop();
  }
}

function reportRuns(report: Report, label: string, method: Method, runs: { [side: string]: Figures }[]): void {
  const of = (side: string, name: keyof Figures) => median(runs.map((run) => run[side]![name]));
  const ratio = (other: string, name: keyof Figures) => median(runs.map((run) => run.own![name] / run[other]![name]));
  for (const side of ['own', 'constant', 'stock']) {
    const rate = Math.round(of(side, 'rate')).toLocaleString('en');
    const cpu = of(side, 'cpuMicroseconds').toFixed(1);
    report.figure(`${label}, ${side}: ${rate} req/s, p99 ${of(side, 'p99Ms')} ms, ${cpu} µs of CPU a request`);
  }
  const ofConstant = ratio('constant', 'rate');
  const cpuOfConstant = (1 / ratio('constant', 'cpuMicroseconds')).toFixed(2);
  report.check(
    `${label}: ${ofConstant.toFixed(2)} of constant bytes, ${cpuOfConstant} by CPU`,
    `>= ${targets[method]}`,
    ofConstant >= targets[method],
  );
  const ofStock = ratio('stock', 'rate');
  report.check(`${label}: ${ofStock.toFixed(1)} times the stock cache`, `>= ${stockTarget}`, ofStock >= stockTarget);
}

async function load(side: Side, method: Method, seconds: number): Promise<Figures> {
  const cpuBefore = cpuSeconds(side.pid);
  const { requests, latency, non2xx, errors } = await autocannon({
    url: method === 'GET' ? side.get : side.post,
    method,
    headers: { accept: 'application/json', 'content-type': 'application/json', 'x-session': 'ada' },
    ...(method === 'POST' && { body: JSON.stringify({ query }) }),
    connections,
    duration: seconds,
  });
  if (non2xx + errors > 0) throw new Error(`${non2xx} answers that are not 2xx, ${errors} errors`);
  const cpuMicroseconds = ((cpuSeconds(side.pid) - cpuBefore) * 1e6) / requests.total;
  return { rate: requests.average, p99Ms: latency.p99, cpuMicroseconds };
}

/** A server that prints its port. */
async function startPlainServer(name: string, argument: string): Promise<{ child: ChildProcess; url: string }> {
  const file = fileURLToPath(new URL(`./${name}`, import.meta.url));
  const child = spawn(process.execPath, [file, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
  killAtExit(child);
  const [port] = await once(child.stdout!, 'data');
  return { child, url: `http://127.0.0.1:${String(port).trim()}/` };
}
